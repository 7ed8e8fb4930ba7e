/**
 * A file of JSON lines that only grows: the record of a long run. A line is written in one piece, so that a run that
 * was killed at any point left whole lines and at most one half, which the next run takes away. The disk is told to keep
 * them once a second and at the end: a machine that loses its power loses about a second of them.
 */
import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';
import { writeProblem, writeWhole } from './atomic-file.ts';
import { eachLine } from './lines.ts';
import { lockFile } from './lock.ts';

/** JSON in, JSON out: whether a line has the right shape is for the reader to say. */
export type OnValue = (value: unknown, lineNumber: number) => void;

const syncEveryMs = 1000;

export class Journal implements Disposable {
  readonly #path: string;
  readonly #lock: Disposable;
  #descriptor: number | undefined;
  #sizeBytes = 0;
  #syncedAtMs = 0;
  #syncing = false;

  /**
   * Opens or begins the file, for this process alone, and hands every line that it has to `onLine`.
   * @throws CogVLM2Error `write_failed`; `invalid_value` for a line that is not UTF-8 or JSON; whatever `onLine` throws
   */
  constructor(path: string, onLine: OnValue = () => {}) {
    this.#path = path;
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      throw new CogVLM2Error('write_failed', `${path} is no file, so a later run could not go on with it.`);
    }
    this.#lock = this.#try(() =>
      lockFile(
        `${path}.lock`,
        (holder) =>
          new CogVLM2Error(
            'write_failed',
            `${holder} is writing ${path} already. Wait for it; if it is something else, delete ${path}.lock.`,
          ),
      ),
    );
    try {
      this.#descriptor = this.#try(() => openSync(path, 'a+'));
      this.#sizeBytes = eachLine(this.#descriptor, path, (line, lineNumber) => {
        onLine(parseLine(line, path, lineNumber), lineNumber);
      }).wholeBytes;
      this.#try(() => ftruncateSync(this.#open(), this.#sizeBytes));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** One line more. When it does not fit on the disk, nothing of it stays. @throws CogVLM2Error `write_failed` */
  append(value: unknown): void {
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    this.#try(() => {
      try {
        writeWhole(this.#open(), line);
      } catch (cause) {
        ftruncateSync(this.#open(), this.#sizeBytes);
        throw cause;
      }
    });
    this.#sizeBytes += line.length;
    this.#syncSometimes();
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) {
      const descriptor = this.#descriptor;
      this.#descriptor = undefined;
      this.#try(() => fsyncSync(descriptor));
      if (!this.#syncing) closeSync(descriptor); // Else when that is done.
    }
    this.#lock[Symbol.dispose]();
  }

  /** Off the event loop: a disk may take its time. What could not be kept is tried again, and told at the end. */
  #syncSometimes(): void {
    const now = performance.now();
    if (this.#syncing || now - this.#syncedAtMs < syncEveryMs) return;
    this.#syncedAtMs = now;
    this.#syncing = true;
    const descriptor = this.#open();
    fdatasync(descriptor, () => {
      this.#syncing = false;
      if (this.#descriptor === undefined) closeSync(descriptor);
    });
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
      const why = `${this.#path} cannot be written: ${writeProblem(cause)}`;
      throw new CogVLM2Error('write_failed', `${why}; the lines that it has are kept.`, { cause });
    }
  }
}

function parseLine(line: string, path: string, lineNumber: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new CogVLM2Error(
      'invalid_value',
      `Line ${lineNumber} of ${path} is not JSON. Take the line out, or write to another file.`,
      { cause },
    );
  }
}
