/** Files that are being written beside the name that they will get: `NAME.PROCESS-RANDOM.partial`. */
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { isLocked, tryFlock } from './system-lock.ts';

const PATTERN = /^(.+)\.(\d+)(?:-[0-9a-f]+)?\.partial$/;

/** A new partial file for `target`, locked until it is closed. @throws the system's error */
export function openPartial(target: string): { file: string; descriptor: number } {
  for (;;) {
    const file = `${target}.${process.pid}-${randomBytes(3).toString('hex')}.partial`;
    const descriptor = openSync(file, 'wx');
    try {
      if (process.platform !== 'win32') tryFlock(descriptor);
    } catch {
      // The disk has no locks. Then `abandonedPartials` does not find it either.
    }
    // Another process may have deleted it before it was locked.
    if (fstatSync(descriptor).ino === statSync(file, { throwIfNoEntry: false })?.ino)
      return { file, descriptor };
    closeSync(descriptor);
  }
}

/** Partial files of a directory that no process writes any more: of one target, or of all. Never throws. */
export function abandonedPartials(directory: string, target?: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  return names
    .filter((name) => {
      const [, of, processId] = PATTERN.exec(name) ?? [];
      if (of === undefined || (target !== undefined && of !== path.basename(target))) return false;
      return isAbandoned(path.join(directory, name), Number(processId));
    })
    .map((name) => path.join(directory, name));
}

/** Deletes what earlier runs with the same output left behind. */
export function removeAbandonedPartials(target: string): void {
  for (const file of abandonedPartials(path.dirname(target), target)) rmSync(file, { force: true });
}

function isAbandoned(file: string, processId: number): boolean {
  try {
    return process.platform === 'win32' ? !isAlive(processId) : !isLocked(file);
  } catch {
    return false;
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
