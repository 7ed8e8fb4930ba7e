import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';

/** A file that appears under its name only when it is whole: written beside it, then renamed. */
export class AtomicFile {
  readonly #path: string;
  readonly #temporary: string;
  #descriptor: number | undefined;

  /** @throws CogVLM2Error `write_failed`. */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.${process.pid}.partial`;
    this.#descriptor = this.#try(() => openSync(this.#temporary, 'w'));
  }

  write(bytes: Uint8Array): void {
    this.#try(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#open(), bytes, at, bytes.length - at);
    });
  }

  /** Puts the file in its place. */
  commit(): void {
    this.#try(() => {
      fsyncSync(this.#open());
      closeSync(this.#open());
      this.#descriptor = undefined;
      renameSync(this.#temporary, this.#path);
    });
  }

  /** Without a commit before, nothing is left behind. */
  [Symbol.dispose](): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    rmSync(this.#temporary, { force: true });
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
      // A failed rename finds the descriptor closed already, and the temporary file still there.
      if (existsSync(this.#temporary)) rmSync(this.#temporary, { force: true });
      const why =
        cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC'
          ? 'the disk is full'
          : cause instanceof Error
            ? cause.message
            : String(cause);
      throw new CogVLM2Error('write_failed', `${this.#path} was not written: ${why}.`, { cause });
    }
  }
}
