/** Writing files: all bytes, errors of the system as sentences, and files that appear only when they are complete. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { isAlive, isLocked, tryFlock } from './lock.ts';

/** Writes all bytes at the position of the descriptor. A single `writeSync` may write only some. @throws the system's error. */
export function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

/**
 * Runs `work`, and turns an error of the system into `write_failed`.
 * @param note continues the sentence, such as "; the lines written so far are kept"
 * @throws CogVLM2Error `write_failed`; errors of `work` that are a CogVLM2Error already.
 */
export function orWriteFailed<T>(file: string, work: () => T, note = ''): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof CogVLM2Error) throw cause;
    throw new CogVLM2Error('write_failed', `${file} cannot be written: ${writeProblem(cause)}${note}.`, {
      cause,
    });
  }
}

/** @throws CogVLM2Error `disposed` if the file is closed. */
export function descriptorOf(file: string, descriptor: number | undefined): number {
  if (descriptor === undefined) throw new CogVLM2Error('disposed', `${file} is already closed.`);
  return descriptor;
}

const problems: Record<string, string> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'no space is left on the disk',
  EFBIG: 'a file may not become so large here (ulimit -f, or the kind of disk)',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOENT: 'there is no such folder',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file',
  ELOOP: 'its symbolic links form a circle',
  ENOLCK: 'the disk has no locks; write to another one',
  ENOTSUP: 'the disk has no locks; write to another one',
};

/** The description of an error code of the system. */
export function writeProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (code && problems[code]) ?? code ?? error.message;
}

/**
 * A file that appears under its name only when it is complete: the bytes go to a partial file beside it, which is then renamed.
 * Until then an existing file does not change. A symbolic link is kept, and its target is replaced. A device or a pipe is written
 * to directly. Partial files of the same file that killed processes left are deleted. The name `-` is standard output.
 */
export class AtomicFile {
  readonly #path: string;
  /** The path, or the target of the symbolic link. */
  readonly #target: string;
  /** The file that gets the bytes: the partial file, or the path itself if it is not a regular file. */
  readonly #draft: string | undefined;
  #descriptor: number | undefined;

  /** @throws CogVLM2Error `write_failed`. */
  constructor(file: string) {
    if (file === '-') {
      this.#path = 'standard output';
      this.#target = this.#path;
      this.#draft = this.#path;
      this.#descriptor = process.stdout.fd;
      return;
    }
    this.#path = file;
    this.#target = this.#try(() => targetOf(file));
    const existing = statSync(file, { throwIfNoEntry: false });
    if (existing && !existing.isFile()) {
      this.#draft = file;
      this.#descriptor = this.#try(() => openSync(file, 'w'));
    } else {
      removeAbandonedPartials(this.#target);
      const partial = this.#try(() => openPartial(this.#target));
      this.#draft = partial.file;
      this.#descriptor = partial.descriptor;
    }
  }

  write(bytes: Uint8Array): void {
    this.#try(() => writeWhole(this.#open(), bytes));
  }

  /** Renames the partial file. */
  commit(): void {
    this.#try(() => {
      if (this.#draft !== this.#path) fsyncSync(this.#open());
      // Renamed while it is open and locked, so that no other process deletes it as abandoned. Windows cannot do that.
      if (process.platform !== 'win32') this.#rename();
      this.#close(this.#open());
      if (process.platform === 'win32') this.#rename();
    });
  }

  /** Deletes the partial file, unless it was committed. */
  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) this.#close(this.#descriptor);
    // A commit renamed it; a failed rename left it.
    if (this.#draft !== undefined && this.#draft !== this.#path) rmSync(this.#draft, { force: true });
  }

  #close(descriptor: number): void {
    this.#descriptor = undefined;
    if (descriptor !== process.stdout.fd) closeSync(descriptor);
  }

  #rename(): void {
    if (this.#draft !== undefined && this.#draft !== this.#path) renameSync(this.#draft, this.#target);
  }

  #open(): number {
    return descriptorOf(this.#path, this.#descriptor);
  }

  #try<T>(work: () => T): T {
    try {
      return orWriteFailed(this.#path, work);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }
}

const MAX_LINKS = 40;

/** Follows symbolic links. The last target need not exist. @throws the system's error, ELOOP for a circle */
function targetOf(file: string): string {
  let at = file;
  for (let links = 0; links < MAX_LINKS; links++) {
    if (!lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return at;
    at = path.resolve(path.dirname(at), readlinkSync(at));
  }
  throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
}

/** @throws CogVLM2Error `write_failed`; then an existing file at `path` is unchanged. */
export function writeFileWhole(path: string, content: string | Uint8Array): void {
  using file = new AtomicFile(path);
  file.write(Buffer.from(content));
  file.commit();
}

// Partial files: `NAME.PROCESS-RANDOM.partial`, beside the file that they become.

const PATTERN = /^(.+)\.(\d+)(?:-[0-9a-f]+)?\.partial$/;

/** A new partial file for `target`, locked until it is closed. @throws the system's error */
function openPartial(target: string): { file: string; descriptor: number } {
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

/** Partial files in a directory that no process is writing: of one target, or of all. Never throws. */
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

/** Deletes the partial files that earlier runs with the same output left. */
function removeAbandonedPartials(target: string): void {
  for (const file of abandonedPartials(path.dirname(target), target)) rmSync(file, { force: true });
}

function isAbandoned(file: string, processId: number): boolean {
  try {
    return process.platform === 'win32' ? !isAlive(processId) : !isLocked(file);
  } catch {
    return false;
  }
}
