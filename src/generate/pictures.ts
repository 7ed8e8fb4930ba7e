import { createHash } from 'node:crypto';
import { CogVLM2Error } from '../errors.ts';
import { preprocessImage } from '../image/preprocess.ts';
import { type ImageSource, readImageSource } from '../image/source.ts';
import type { Model } from '../model/cogvlm2.ts';
import { EncodedImage } from '../model/encoded-image.ts';
import { fromHalves, roundToHalves } from '../model/stored-image-tokens.ts';
import type { TowerOptions } from '../model/vision-tower.ts';
import type { Batch } from './batch.ts';
import type { DiskImageCache } from './disk-image-cache.ts';
import { imageCacheKey } from './image-cache-key.ts';
import { type EncodedTokens, ImageTokens } from './image-tokens.ts';
import type { Progress } from './types.ts';

/** A picture whose bytes are here, not decoded yet. */
export interface Picture {
  bytes: Uint8Array;
  /** SHA-256 of the bytes, in hexadecimal. */
  contentKey: string;
  readMs: number;
}

/** The image cache on disk, and what tells the model's weights apart in it. */
export interface DiskCache {
  files: DiskImageCache;
  fingerprint: string;
}

/** From any source to image tokens, each image once. */
export class Pictures {
  readonly #batch: Batch;
  readonly #model: Model;
  readonly #disk: DiskCache | null;
  readonly #tokens: ImageTokens;

  /** @param cacheBytes most bytes of tokens that stay in memory after their last use */
  constructor(batch: Batch, model: Model, disk: DiskCache | null, cacheBytes: number) {
    const { hiddenSize, vision } = batch.config;
    this.#batch = batch;
    this.#model = model;
    this.#disk = disk;
    this.#tokens = new ImageTokens(
      (pixels, options) => this.#tokensOf(pixels, options),
      hiddenSize * vision.imageTokens * Float32Array.BYTES_PER_ELEMENT,
      cacheBytes,
    );
  }

  /** From the disk, or through the tower. */
  async #tokensOf(pixels: Float32Array, options: TowerOptions): Promise<EncodedTokens> {
    const { hiddenSize, vision } = this.#model.config;
    const { engine } = this.#model;
    const key = this.#disk && (await imageCacheKey(this.#disk.fingerprint, vision.imageSize, pixels));
    if (this.#disk && key !== null) {
      const halves = await this.#disk.files.read(key, hiddenSize * vision.imageTokens);
      options.signal?.throwIfAborted();
      const sizes = [hiddenSize, vision.imageTokens];
      if (halves) {
        const state = await fromHalves(engine, halves, sizes, this.#model.imageTokenPlace);
        return { state, origin: 'disk', visionMs: 0 };
      }
    }
    const startedAt = performance.now();
    const state = await this.#batch.encodeImage(pixels, options);
    const visionMs = performance.now() - startedAt;
    try {
      const halves = key === null ? null : await roundToHalves(engine, state);
      // Waited for, since a process that asks once ends soon; it takes far less than the tower.
      if (halves && key !== null) await this.#disk?.files.write(key, halves);
      return { state, origin: 'encoded', visionMs };
    } catch (error) {
      state[Symbol.dispose]();
      throw error;
    }
  }

  get cacheBytes(): number {
    return this.#tokens.sizeBytes;
  }

  async read(source: ImageSource, signal: AbortSignal | undefined): Promise<Picture> {
    const startedAt = performance.now();
    const bytes = await asAborted(signal, () => readImageSource(source, signal ? { signal } : {}));
    const contentKey = createHash('sha256').update(bytes).digest('hex');
    return { bytes, contentKey, readMs: performance.now() - startedAt };
  }

  /** @throws CogVLM2Error for a picture that cannot be read, `aborted`. */
  async encode(
    { bytes, contentKey, readMs }: Picture,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal | undefined,
  ): Promise<EncodedImage> {
    const { vision } = this.#batch.config;
    let imageMs = readMs;
    const decode = async (left: AbortSignal) => {
      const startedAt = performance.now();
      const decoded = await preprocessImage(bytes, vision.imageSize, { signal: left });
      imageMs += performance.now() - startedAt;
      return decoded;
    };
    const onLayer = (done: number, total: number) => onProgress({ stage: 'vision', done, total });
    const lease = await asAborted(signal, () => this.#tokens.acquire(contentKey, decode, onLayer, signal));
    const { width, height, origin, visionMs } = lease;
    const facts = { width, height, imageTokens: vision.imageTokens, contentKey, imageMs, origin, visionMs };
    return new EncodedImage(lease.state, facts, lease.release);
  }
}

/** An abort comes as whatever reason the caller gave; here it becomes our error, whose cause that is. */
export async function asAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (signal?.aborted) throw new CogVLM2Error('aborted', 'Stopped before it was done.', { cause });
    throw cause;
  }
}
