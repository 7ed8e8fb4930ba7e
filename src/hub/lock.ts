/** One pull of a model at a time: a file with the number of the process that is at it. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';

/** @throws CogVLM2Error `download_failed` when another living process holds it. */
export function lock(file: string): Disposable {
  mkdirSync(path.dirname(file), { recursive: true });
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
    } catch {
      const holder = Number(readFileSync(file, 'utf8'));
      if (isAlive(holder)) {
        throw new CogVLM2Error(
          'download_failed',
          `Process ${holder} is pulling this model already. Wait for it; if it is something else, delete ${file}.`,
        );
      }
      rmSync(file, { force: true }); // It died without taking its lock along.
    }
  }
  throw new CogVLM2Error(
    'download_failed',
    `${file} keeps coming back: another pull of this model began just now.`,
  );
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
