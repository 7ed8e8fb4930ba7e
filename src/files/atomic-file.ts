import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';

/**
 * A file that appears under its name only when it is whole: written beside it, then renamed. What was there before
 * stays until then. A device or a pipe is written to, never replaced.
 */
export class AtomicFile {
  readonly #path: string;
  /** Where the bytes go: beside the path, or the path itself where it is no regular file. */
  readonly #draft: string;
  #descriptor: number | undefined;

  /** @throws CogVLM2Error `write_failed`. */
  constructor(path: string) {
    this.#path = path;
    const existing = statSync(path, { throwIfNoEntry: false });
    this.#draft = existing && !existing.isFile() ? path : `${path}.${process.pid}.partial`;
    this.#descriptor = this.#try(() => openSync(this.#draft, 'w'));
  }

  write(bytes: Uint8Array): void {
    this.#try(() => writeWhole(this.#open(), bytes));
  }

  /** Puts the file in its place. */
  commit(): void {
    this.#try(() => {
      if (this.#draft !== this.#path) fsyncSync(this.#open());
      closeSync(this.#open());
      this.#descriptor = undefined;
      if (this.#draft !== this.#path) renameSync(this.#draft, this.#path);
    });
  }

  /** Without a commit before, nothing is left behind. */
  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    // After a commit the draft is gone; after a failed rename it is not.
    if (this.#draft !== this.#path) rmSync(this.#draft, { force: true });
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
};

/** What the system's code means, in words. */
export function writeProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (code && problems[code]) ?? code ?? error.message;
}
