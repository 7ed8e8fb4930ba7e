/** One process at a time: a file with the number of the process that is at it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { CogVLM2Error } from '../errors.ts';

/** By this process. A container's processes get the same numbers again and again, so the number alone does not tell. */
const held = new Set<string>();

/**
 * Held until disposed. The lock of a process that died (also by kill -9) is taken over.
 * @throws what `taken` makes of the holder, "Process 123" or "Another process"
 */
export function lockFile(file: string, taken: (holder: string) => CogVLM2Error): Disposable {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      held.add(file);
      return {
        [Symbol.dispose]: () => {
          held.delete(file);
          rmSync(file, { force: true });
        },
      };
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
      const holder = readHolder(file);
      if (holder === process.pid ? held.has(file) : isAlive(holder)) throw taken(`Process ${holder}`);
      rmSync(file, { force: true }); // It died without taking its lock along.
    }
  }
  throw taken('Another process');
}

/** NaN when the lock went away just now. */
function readHolder(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return Number.NaN;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}
