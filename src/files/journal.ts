/**
 * A file of JSON lines that only grows: the record of a long run. Each line is written in one piece. A killed run leaves complete
 * lines and at most one partial line, which the next run removes. The file is synced once a second
 * and at the end, so that a power failure loses about one second of lines.
 */
import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';
import { parseJson } from './json.ts';
import { lockFile } from './lock.ts';
import { eachLine } from './text.ts';
import { descriptorOf, orWriteFailed, writeWhole } from './writing.ts';

/** Gets the JSON value of each line, and its text. The reader checks the shape. */
export type OnValue = (value: unknown, lineNumber: number, text: string) => void;

const syncEveryMs = 1000;

export class Journal implements Disposable {
  readonly #path: string;
  readonly #lock: Disposable;
  #descriptor: number | undefined;
  #sizeBytes = 0;
  #syncedAtMs = 0;
  #syncing = false;

  /**
   * Opens or creates the file for this process alone, and calls `onLine` for every line that it has.
   * @throws CogVLM2Error `write_failed`; `invalid_value` for a line that is not UTF-8 or JSON; errors of `onLine`
   */
  constructor(path: string, onLine: OnValue = () => {}) {
    this.#path = path;
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      throw new CogVLM2Error(
        'write_failed',
        `${path} is not a regular file, so a later run could not resume from it.`,
      );
    }
    this.#lock = this.#try(() =>
      lockFile(
        `${path}.lock`,
        (holder) => new CogVLM2Error('write_failed', `${holder} is writing ${path}. Wait for it.`),
      ),
    );
    try {
      this.#descriptor = this.#try(() => openSync(path, 'a+'));
      this.#sizeBytes = eachLine(this.#descriptor, path, (line, lineNumber) => {
        onLine(parseJson(line, `Line ${lineNumber} of ${path}`), lineNumber, line.trimEnd());
      }).wholeBytes;
      this.#try(() => ftruncateSync(this.#open(), this.#sizeBytes));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Adds one line. If it does not fit on the disk, nothing of it stays. @throws CogVLM2Error `write_failed` */
  append(value: unknown): void {
    this.appendText(JSON.stringify(value));
  }

  /** The same for a value that is JSON text already. */
  appendText(json: string): void {
    const line = Buffer.from(`${json}\n`);
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
      if (!this.#syncing) closeSync(descriptor); // Otherwise the sync closes it.
    }
    this.#lock[Symbol.dispose]();
  }

  /** Does not block the event loop. If it fails, the sync at the end fails too, and that error is reported. */
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
    return descriptorOf(this.#path, this.#descriptor);
  }

  #try<T>(work: () => T): T {
    return orWriteFailed(this.#path, work, '; the lines written so far are kept');
  }
}
