import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { openPartial, removeAbandonedPartials } from './partial-files.ts';

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
    if (this.#descriptor === undefined)
      throw new CogVLM2Error('disposed', `${this.#path} is already closed.`);
    return this.#descriptor;
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (cause instanceof CogVLM2Error) throw cause;
      this[Symbol.dispose]();
      throw new CogVLM2Error('write_failed', `${this.#path} cannot be written: ${writeProblem(cause)}.`, {
        cause,
      });
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

/** All of the bytes, where the descriptor stands: one write may take only the first of them. @throws the system's error. */
export function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

/** @throws CogVLM2Error `write_failed`; what was at `path` before is then still there. */
export function writeFileWhole(path: string, text: string): void {
  using file = new AtomicFile(path);
  file.write(Buffer.from(text));
  file.commit();
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

/** What the system's code means, in words. */
export function writeProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (code && problems[code]) ?? code ?? error.message;
}
