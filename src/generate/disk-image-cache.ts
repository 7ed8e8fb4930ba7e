/**
 * Image tokens on disk, one file for each image, so that another process does not run the vision tower again. Only the owner can
 * read the directory. A file contains only numbers: no image, no file name, no question.
 *
 * Several processes may use one directory. A file gets its name when it is complete, and has a checksum: a damaged file is
 * removed, and the image is encoded again. The least recently used files are evicted first.
 */

import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { readFileBytes } from '../checkpoint/read-file.ts';
import type { Checkpoint, TensorEntry } from '../checkpoint/types.ts';
import { userCacheDirectory } from '../files/folders.ts';
import { sha256InSteps } from '../image/source.ts';
import type { ModelConfig } from '../model/config.ts';
import { adapterCost, partBytes, towerCost } from '../model/cost.ts';
import { partOf } from '../model/parts.ts';

/** The first bytes of every file; a different layout has a different name. */
const magic = Buffer.from('cogvlm2 image 1\n');
const checksumBytes = 32;
const headerBytes = magic.length + checksumBytes;
const suffix = '.tokens';
/** The partial file of a process that ended is removed after this time. */
const abandonedMs = 60 * 60 * 1000;

const defaultDiskLimitBytes = 2e9;

export interface DiskImageCacheOptions {
  /** Default: `cogvlm2/images` in the user's cache directory. Null (a user without a home folder): no cache. */
  directory?: string | null;
  /** Limit for all files together, in bytes. Default: 2 GB. */
  limitBytes?: number;
}

export interface DiskCacheUsage {
  directory: string;
  entries: number;
  sizeBytes: number;
  limitBytes: number;
}

/** The default directory; null for a user without a home folder. */
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

  /** @returns the cache, or a sentence with the reason why there is none */
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

  /** The f16 numbers of an entry; null if there is none. A damaged entry is removed. */
  async read(key: string, count: number): Promise<Uint16Array | null> {
    const file = this.#file(key);
    const bytes = await readWhole(file, headerBytes + 2 * count);
    if (bytes === 'missing') return null;
    const payload = bytes === 'damaged' ? null : bytes.subarray(headerBytes);
    const isRight =
      payload !== null &&
      bytes !== 'damaged' &&
      magic.equals(bytes.subarray(0, magic.length)) &&
      (await sha256InSteps(payload)).equals(bytes.subarray(magic.length, headerBytes));
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

  /** Writes an entry, and evicts others beyond the limit. If writing fails, the entry is dropped. */
  async write(key: string, halves: Uint16Array): Promise<void> {
    const payload = Buffer.from(halves.buffer, halves.byteOffset, halves.byteLength);
    if (headerBytes + payload.length > this.limitBytes) return;
    const draft = path.join(this.directory, `.${key}.${process.pid}.${randomBytes(6).toString('hex')}`);
    try {
      const header = Buffer.concat([magic, await sha256InSteps(payload)]);
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writev([header, payload]);
        // If the rename reached the disk before the bytes, the checksum would be wrong after a crash.
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

  /** Removes all entries, and partial files of processes that ended. @returns what was removed */
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
    // Another process may have removed it; on Windows another process may be reading it.
    for (const { file } of [...abandoned, ...evicted]) await rm(file, { force: true }).catch(() => {});
  }

  async #list() {
    const entries: { file: string; sizeBytes: number; usedMs: number }[] = [];
    const drafts: typeof entries = [];
    for (const name of await readdir(this.directory)) {
      const isEntry = /^[0-9a-f]{64}\.tokens$/.test(name);
      if (!isEntry && !/^\.[0-9a-f]{64}\.\d+\.[0-9a-f]+$/.test(name)) continue;
      const file = path.join(this.directory, name);
      // Another process removed it after it was listed.
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

// Cache keys, and the models for which the cache is worthwhile.

/** Incremented when the same pixels and weights give other tokens than before. */
const version = 1;

/** Tensors whose first bytes are read; spread over the tower and the adapter. */
const sampledTensors = 32;
const sampledBytes = 256;

/**
 * A hash of the weights that encode an image. Sizes and times of the files detect most changes, types and shapes another
 * conversion, and samples of the weights a fine-tuned model with the same sizes and times. It survives moving the files.
 * @param adapter fingerprint of the adapters (LoRA) that change image tokens, if any
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

/** @param pixels [3, imageSize, imageSize], normalized */
export async function imageCacheKey(
  fingerprint: string,
  imageSize: number,
  pixels: Float32Array,
): Promise<string> {
  const head = Buffer.from(`${fingerprint} ${imageSize}\n`);
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return (await sha256InSteps(head, bytes)).toString('hex');
}

/** Assumes a machine with fast arithmetic and slow files: where the cache is enabled, it is faster nearly everywhere. */
const assumedFlopPerSecond = 1e12;
const assumedBytesPerSecond = 1e8;
const assumedFileMs = 10;

/**
 * Whether reading an entry takes less time than encoding its image, on an assumed machine: 10^12 operations a second
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
