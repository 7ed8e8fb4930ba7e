/**
 * Temporary folders, `cogvlm2-KIND-PROCESS-RANDOM`. A folder is locked while it is in use. So the next process that makes one removes
 * those that killed processes left.
 */

import { closeSync, existsSync, openSync } from 'node:fs';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isAlive, tryFlock } from './lock.ts';

const PATTERN = /^cogvlm2-[a-z]+-(\d+)-[A-Za-z0-9]{6}$/;

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/** A new folder that only this user can read. Disposing removes it. @throws the system's error */
export async function temporaryFolder(kind: 'video' | 'kernels'): Promise<TemporaryFolder> {
  for (const folder of await candidates()) await removeIfAbandoned(folder);
  for (;;) {
    const folder = await mkdtemp(path.join(tmpdir(), `cogvlm2-${kind}-${process.pid}-`));
    const lock = lockOf(folder);
    if (lock === 'taken') continue;
    return {
      path: folder,
      async [Symbol.asyncDispose]() {
        await rm(folder, { recursive: true, force: true });
        if (lock !== 'none') closeSync(lock);
      },
    };
  }
}

/** Temporary folders that killed processes of this user left. Never throws. */
export async function abandonedFolders(): Promise<string[]> {
  const abandoned: string[] = [];
  for (const folder of await candidates()) {
    const lock = lockOfAbandoned(folder);
    if (lock === undefined) continue;
    if (lock !== 'none') closeSync(lock);
    abandoned.push(folder);
  }
  return abandoned;
}

/** The lock is held until the folder is removed. So a process that has just made the folder sees that the lock is taken. */
async function removeIfAbandoned(folder: string): Promise<void> {
  const lock = lockOfAbandoned(folder);
  if (lock === undefined) return;
  await rm(folder, { recursive: true, force: true }).catch(() => {});
  if (lock !== 'none') closeSync(lock);
}

/** Directories of this user with such a name. Everybody may write to the folder for temporary files. */
async function candidates(): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    if (!PATTERN.test(name)) continue;
    const folder = path.join(tmpdir(), name);
    const facts = await lstat(folder).catch(() => undefined);
    const isOurs = process.getuid === undefined || facts?.uid === process.getuid();
    if (facts?.isDirectory() && isOurs) found.push(folder);
  }
  return found;
}

/**
 * The descriptor that locks a new folder; `none` on Windows, and on a disk that has no locks; `taken` if another process is about
 * to remove it.
 */
function lockOf(folder: string): number | 'none' | 'taken' {
  if (process.platform === 'win32') return 'none';
  let descriptor: number;
  try {
    descriptor = openSync(folder, 'r');
  } catch {
    return 'taken';
  }
  try {
    if (tryFlock(descriptor) && existsSync(folder)) return descriptor;
  } catch {
    closeSync(descriptor);
    return 'none';
  }
  closeSync(descriptor);
  return 'taken';
}

/** The lock of a folder that no process uses; undefined if one uses it. */
function lockOfAbandoned(folder: string): number | 'none' | undefined {
  if (process.platform === 'win32') {
    const [, processId] = PATTERN.exec(path.basename(folder)) ?? [];
    return isAlive(Number(processId)) ? undefined : 'none';
  }
  const lock = lockOf(folder);
  return typeof lock === 'number' ? lock : undefined;
}
