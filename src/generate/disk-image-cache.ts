/**
 * Image tokens on disk, one file for each image, so that another process need not run the vision tower again. The
 * directory is readable by its owner only, and a file holds nothing but numbers: no image, no file name, no question.
 *
 * Several processes may use one directory. A file appears under its name when it is whole, and every file has a
 * checksum: a damaged one is removed, and the image is encoded again. What is used least recently goes first.
 */

import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { readFileBytes } from '../checkpoint/read-file.ts';
import type { Checkpoint, TensorEntry } from '../checkpoint/types.ts';
import { userCacheDirectory } from '../files/folders.ts';
import type { ModelConfig } from '../model/config.ts';
import { adapterCost, partBytes, towerCost } from '../model/cost.ts';
import { partOf } from '../model/parts.ts';

/** The first bytes of every file; another layout gets another name. */
const magic = Buffer.from('cogvlm2 image 1\n');
const checksumBytes = 32;
const headerBytes = magic.length + checksumBytes;
const suffix = '.tokens';
/** A file that was being written when its process ended is removed after this time. */
const abandonedMs = 60 * 60 * 1000;
/** Bytes that are hashed between two turns of the event loop. */
const sliceBytes = 4 * 2 ** 20;

const defaultDiskLimitBytes = 2e9;

export interface DiskImageCacheOptions {
  /** Default: `cogvlm2/images` in the user's cache directory. Null, for a user without a home, is none. */
  directory?: string | null;
  /** Most bytes of all files together. Default: 2 GB. */
  limitBytes?: number;
}

export interface DiskCacheUsage {
  directory: string;
  entries: number;
  sizeBytes: number;
  limitBytes: number;
}

/** The default directory; null for a user without a home. */
export function diskCacheDirectory(env?: Readonly<Record<string, string | undefined>>): string | null {
  const base = userCacheDirectory(env);
  return base && path.join(base, 'cogvlm2', 'images');
}

export class DiskImageCache {
  readonly directory: string;
  readonly limitBytes: number;

  private constructor(directory: string, limitBytes: number) {
    this.directory = directory;
    this.limitBytes = limitBytes;
  }

  /** @returns a sentence that says why there can be no cache, instead of one */
  static open(options: DiskImageCacheOptions = {}): DiskImageCache | string {
    const { directory = diskCacheDirectory() } = options;
    if (directory === null) return 'This user has no home directory; set XDG_CACHE_HOME.';
    try {
      makePrivate(directory);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return `${directory} cannot be used: ${why}.`;
    }
    return new DiskImageCache(directory, options.limitBytes ?? defaultDiskLimitBytes);
  }

  /** The f16 numbers of an entry, or null where there is none. A damaged entry is removed. */
  async read(key: string, count: number): Promise<Uint16Array | null> {
    const file = this.#file(key);
    const bytes = await readWhole(file, headerBytes + 2 * count);
    if (bytes === 'missing') return null;
    const payload = bytes === 'damaged' ? null : bytes.subarray(headerBytes);
    const isRight =
      payload !== null &&
      bytes !== 'damaged' &&
      magic.equals(bytes.subarray(0, magic.length)) &&
      (await checksum(payload)).equals(bytes.subarray(magic.length, headerBytes));
    if (!isRight) {
      await rm(file, { force: true }).catch(() => {});
      return null;
    }
    const now = new Date();
    await utimes(file, now, now).catch(() => {});
    const halves = new Uint16Array(count);
    Buffer.from(halves.buffer).set(payload);
    return halves;
  }

  /** Keeps an entry, and removes others beyond the limit. What cannot be written is not kept. */
  async write(key: string, halves: Uint16Array): Promise<void> {
    const payload = Buffer.from(halves.buffer, halves.byteOffset, halves.byteLength);
    if (headerBytes + payload.length > this.limitBytes) return;
    const draft = path.join(this.directory, `.${key}.${process.pid}.${randomBytes(6).toString('hex')}`);
    try {
      const header = Buffer.concat([magic, await checksum(payload)]);
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writev([header, payload]);
        // A rename that reaches the disk before the bytes leaves a file whose checksum is wrong.
      } finally {
        await file.close();
      }
      await rename(draft, this.#file(key));
      await this.#evict();
    } catch {
      await rm(draft, { force: true }).catch(() => {});
    }
  }

  async usage(): Promise<DiskCacheUsage> {
    const { entries } = await this.#list();
    const sizeBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
    return { directory: this.directory, entries: entries.length, sizeBytes, limitBytes: this.limitBytes };
  }

  /** Removes all entries, and drafts of processes that ended. @returns what was removed */
  async clear(): Promise<{ entries: number; sizeBytes: number }> {
    const { entries, drafts } = await this.#list();
    for (const { file } of [...entries, ...drafts]) await rm(file, { force: true });
    return { entries: entries.length, sizeBytes: entries.reduce((sum, entry) => sum + entry.sizeBytes, 0) };
  }

  #file(key: string): string {
    return path.join(this.directory, `${key}${suffix}`);
  }

  async #evict(): Promise<void> {
    const { entries, drafts } = await this.#list();
    const abandoned = drafts.filter(({ usedMs }) => usedMs < Date.now() - abandonedMs);
    let sizeBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
    const oldest = entries.sort((a, b) => a.usedMs - b.usedMs);
    const evicted = oldest.filter((entry) => {
      if (sizeBytes <= this.limitBytes) return false;
      sizeBytes -= entry.sizeBytes;
      return true;
    });
    // Another process may have removed the same ones; on Windows one may be reading them.
    for (const { file } of [...abandoned, ...evicted]) await rm(file, { force: true }).catch(() => {});
  }

  async #list() {
    const entries: { file: string; sizeBytes: number; usedMs: number }[] = [];
    const drafts: typeof entries = [];
    for (const name of await readdir(this.directory)) {
      const isEntry = /^[0-9a-f]{64}\.tokens$/.test(name);
      if (!isEntry && !/^\.[0-9a-f]{64}\.\d+\.[0-9a-f]+$/.test(name)) continue;
      const file = path.join(this.directory, name);
      // Gone since it was listed: another process removed it.
      const facts = await stat(file).catch(() => null);
      if (facts?.isFile())
        (isEntry ? entries : drafts).push({ file, sizeBytes: facts.size, usedMs: facts.mtimeMs });
    }
    return { entries, drafts };
  }
}

/** @throws an error of the system, or one that says whose directory it is */
function makePrivate(directory: string): void {
  mkdirSync(path.dirname(path.dirname(directory)), { recursive: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const facts = statSync(directory);
  if (!facts.isDirectory()) throw new Error('it is not a directory');
  if (process.platform === 'win32') return; // %LOCALAPPDATA% is private by its own access list.
  const user = process.getuid?.();
  if (user !== undefined && facts.uid !== user) throw new Error('it belongs to another user');
  if ((facts.mode & 0o077) !== 0) chmodSync(directory, 0o700);
}

/** A file of exactly this size. */
async function readWhole(file: string, sizeBytes: number): Promise<Buffer | 'missing' | 'damaged'> {
  try {
    await using handle = await open(file, 'r');
    const facts = await handle.stat();
    if (facts.size !== sizeBytes) return 'damaged';
    const bytes = Buffer.allocUnsafe(sizeBytes);
    const { bytesRead } = await handle.read(bytes, 0, sizeBytes, 0);
    return bytesRead === sizeBytes ? bytes : 'damaged';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'EIO' ? 'damaged' : 'missing';
  }
}

/** SHA-256, in slices between which other work goes on. */
async function checksum(...parts: readonly Uint8Array[]): Promise<Buffer> {
  const hash = createHash('sha256');
  for (const part of parts) {
    for (let at = 0; at < part.length; at += sliceBytes) {
      hash.update(part.subarray(at, at + sliceBytes));
      if (part.length > sliceBytes) await new Promise(setImmediate);
    }
  }
  return hash.digest();
}

// Which images are the same to the disk cache, and for which models it is worth its files.

/** Raised when the same pixels and weights give other tokens than before. */
const version = 1;

/** Tensors whose first bytes are read; spread over the tower and the adapter. */
const sampledTensors = 32;
const sampledBytes = 256;

/**
 * Tells apart the weights that an image meets. Sizes and times of the files tell most changes; types and shapes another
 * conversion; samples of the weights a fine-tuned model with the same files' sizes and times. A moved file keeps it.
 * @param adapter fingerprint of adapted weights (LoRA) that the image meets, where there are any
 */
export function visionFingerprint(checkpoint: Checkpoint, adapter?: string): string {
  const hash = createHash('sha256').update(
    JSON.stringify([version, checkpoint.texts['config.json'], adapter]),
  );
  const vision = [...checkpoint.tensors.values()].filter(({ name }) => {
    const { part } = partOf(name);
    return part === 'tower' || part === 'adapter';
  });
  for (const file of [...new Set(vision.map((tensor) => tensor.file))].sort()) {
    const { size, mtimeNs } = statSync(file, { bigint: true });
    hash.update(`${size} ${mtimeNs}\n`);
  }
  for (const { name, type, shape, packed } of vision)
    hash.update(`${JSON.stringify([name, type, shape, packed?.quantType])}\n`);
  const step = Math.max(1, Math.ceil(vision.length / sampledTensors));
  for (let i = 0; i < vision.length; i += step) hash.update(sampleOf(vision[i]!));
  return hash.digest('hex');
}

function sampleOf(tensor: TensorEntry): Uint8Array {
  const { packed, shape, sizeBytes } = tensor;
  // Two 4-bit codes a byte.
  const storedBytes = packed ? Math.floor(shape.reduce((product, axis) => product * axis, 1) / 2) : sizeBytes;
  const sample = new Uint8Array(Math.min(sampledBytes, storedBytes));
  readFileBytes(packed?.codes ?? tensor, 0, sample);
  return sample;
}

/** @param pixels [3, imageSize, imageSize], as the tower reads them */
export async function imageCacheKey(
  fingerprint: string,
  imageSize: number,
  pixels: Float32Array,
): Promise<string> {
  const head = Buffer.from(`${fingerprint} ${imageSize}\n`);
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return (await checksum(head, bytes)).toString('hex');
}

/** A fast machine for arithmetic, a slow one for files: where the cache is used, it is faster nearly everywhere. */
const assumedFlopPerSecond = 1e12;
const assumedBytesPerSecond = 1e8;
const assumedFileMs = 10;

/**
 * Whether an entry is read in less time than its image is encoded in, on assumed machines: 10^12 operations a second
 * for encoding; 10 ms and 100 MB/s for the file.
 */
export function isWorthCaching(config: ModelConfig, checkpoint: Checkpoint): boolean {
  const bytes = partBytes(checkpoint.tensors.values());
  const costs = [towerCost(config, bytes), adapterCost(config, bytes)];
  const flop = costs.reduce((sum, cost) => sum + cost.linearFlop + cost.attentionFlop, 0);
  const encodeMs = (1000 * flop) / assumedFlopPerSecond;
  const readMs = assumedFileMs + (1000 * entryBytes(config)) / assumedBytesPerSecond;
  return encodeMs > readMs;
}

/** Bytes of one image's tokens on disk. */
export function entryBytes({ hiddenSize, vision }: ModelConfig): number {
  return 2 * hiddenSize * vision.imageTokens;
}
