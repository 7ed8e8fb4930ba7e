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
} from 'node:fs';
import path from 'node:path';
import { isLocked, tryFlock } from './lock.ts';
import { descriptorOf, orWriteFailed, writeWhole } from './writing.ts';

/**
 * A file that appears under its name only when it is whole: it is written beside it, then renamed. What was there before
 * stays until then. A symbolic link stays, and the file that it leads to is replaced. A device or a pipe is written to,
 * never replaced. What a killed process left of the same file is deleted. The name `-` is standard output.
 */
export class AtomicFile {
  readonly #path: string;
  /** The path, or what it leads to as a symbolic link. */
  readonly #target: string;
  /** Where the bytes go: beside the target, or the path itself where it is not a regular file. */
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

  /** Puts the file in its place. */
  commit(): void {
    this.#try(() => {
      if (this.#draft !== this.#path) fsyncSync(this.#open());
      // Renamed while it is open and locked, so that no other process takes it for abandoned. Windows cannot do that.
      if (process.platform !== 'win32') this.#rename();
      this.#close(this.#open());
      if (process.platform === 'win32') this.#rename();
    });
  }

  /** Without a commit before, nothing is left behind. */
  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) this.#close(this.#descriptor);
    // After a commit the draft is gone; after a failed rename it is not.
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

/** Follows symbolic links, also to a file that is not there yet. @throws the system's error, ELOOP for a circle */
function targetOf(file: string): string {
  let at = file;
  for (let links = 0; links < MAX_LINKS; links++) {
    if (!lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return at;
    at = path.resolve(path.dirname(at), readlinkSync(at));
  }
  throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
}

/** @throws CogVLM2Error `write_failed`; what was at `path` before is then still there. */
export function writeFileWhole(path: string, content: string | Uint8Array): void {
  using file = new AtomicFile(path);
  file.write(Buffer.from(content));
  file.commit();
}

// Files that are being written beside the name that they will get: `NAME.PROCESS-RANDOM.partial`.

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

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
