/** One process at a time: a file that is locked by the process that uses what it stands for. */
import { readFileSync } from 'node:fs';
import type { CogVLM2Error } from '../errors.ts';
import { lockSystemFile } from './system-lock.ts';

/**
 * Held until disposed, or until the process ends. The file holds the process's number for the message of another one.
 * @throws what `taken` makes of the holder, "Process 123" or "Another process"; the system's error
 */
export function lockFile(file: string, taken: (holder: string) => CogVLM2Error): Disposable {
  const lock = lockSystemFile(file, String(process.pid));
  if (lock === undefined) throw taken(holderOf(file));
  return { [Symbol.dispose]: () => lock.release() };
}

function holderOf(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (/^\d+$/.test(text)) return `Process ${text}`;
  } catch {
    // It was released just now, or another user's.
  }
  return 'Another process';
}
