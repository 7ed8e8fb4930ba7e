/** The partial file of a download: appends bytes in order and computes their hash. */
import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { descriptorOf, orWriteFailed, writeWhole } from '../files/writing.ts';
import type { RemoteFile } from './repository.ts';

export class Sink implements Disposable {
  readonly #path: string;
  readonly #file: RemoteFile;
  #descriptor: number | undefined;
  #hash: Hash;
  #position = 0;

  constructor(draft: string, file: RemoteFile) {
    this.#path = draft;
    this.#file = file;
    this.#hash = hashOf(file);
  }

  /** Bytes that are present. */
  get position(): number {
    return this.#position;
  }

  /** Resumes the partial file of an earlier pull. It is read once for the hash; `onBytes` is called meanwhile. */
  async open(signal: AbortSignal, onBytes: () => void): Promise<void> {
    const left = draftSize(this.#path);
    this.#try(() => {
      mkdirSync(path.dirname(this.#path), { recursive: true });
      this.#descriptor = openSync(this.#path, 'a');
    });
    if (left > this.#file.sizeBytes) return this.restart();
    if (left === 0) return;
    for await (const bytes of createReadStream(this.#path, {
      end: left - 1,
      highWaterMark: 2 ** 20,
      signal,
    })) {
      this.#hash.update(bytes);
      this.#position += bytes.length;
      onBytes();
    }
  }

  write(bytes: Uint8Array): void {
    this.#try(() => writeWhole(this.#open(), bytes));
    this.#hash.update(bytes);
    this.#position += bytes.length;
  }

  /** Discards all bytes. */
  restart(): void {
    this.#try(() => ftruncateSync(this.#open(), 0));
    this.#hash = hashOf(this.#file);
    this.#position = 0;
  }

  /** Whether the hash is the one that the source lists. The file is then synced to the disk. */
  verify(): boolean {
    this.#try(() => fsyncSync(this.#open()));
    return this.#hash.digest('hex') === this.#file.digest.hex;
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    return descriptorOf(this.#path, this.#descriptor);
  }

  #try<T>(work: () => T): T {
    return orWriteFailed(this.#path, work, '; the bytes received so far are kept');
  }
}

/** Whether a local file has the hash that the source lists. `onPosition` receives the bytes read so far. */
export async function isIntact(
  location: string,
  file: Pick<RemoteFile, 'digest' | 'sizeBytes'>,
  signal: AbortSignal,
  onPosition: (bytes: number) => void,
): Promise<boolean> {
  const hash = hashOf(file);
  let position = 0;
  for await (const bytes of createReadStream(location, { highWaterMark: 2 ** 20, signal })) {
    hash.update(bytes);
    position += bytes.length;
    onPosition(position);
  }
  return hash.digest('hex') === file.digest.hex;
}

export function draftSize(draft: string): number {
  return statSync(draft, { throwIfNoEntry: false })?.size ?? 0;
}

function hashOf({ digest, sizeBytes }: Pick<RemoteFile, 'digest' | 'sizeBytes'>): Hash {
  if (digest.algorithm === 'sha256') return createHash('sha256');
  return createHash('sha1').update(`blob ${sizeBytes}\0`);
}
