import { CogVLM2Error } from '../errors.ts';
import { preprocessImage } from '../image/preprocess.ts';
import { type ImageFile, type ImageSource, readImage } from '../image/source.ts';
import type { Model } from '../model/cogvlm2.ts';
import { EncodedImage, fromHalves, roundToHalves } from '../model/encoded-image.ts';
import type { TowerOptions } from '../model/vision-tower.ts';
import type { LoadedAdapters } from './adapters.ts';
import { type DiskImageCache, imageCacheKey } from './disk-image-cache.ts';
import { type EncodedTokens, MemoryImageCache } from './memory-image-cache.ts';
import type { Scheduler } from './scheduler.ts';
import type { Progress } from './types.ts';

/** An image that was read, and is not decoded yet. */
export interface ReadImage {
  file: ImageFile;
  /** SHA-256 of the bytes, in hexadecimal. */
  contentKey: string;
  readMs: number;
}

/** The image cache on disk, and what tells the model's weights apart in it, with the adapter of an image key. */
export interface DiskCache {
  files: DiskImageCache;
  fingerprintOf(adapterKey: string): string;
}

/** Images whose warnings are kept for answers from a prefix cache, where nothing is decoded. */
const mostWarnings = 1_000;

/** From any source to image tokens. Each image is encoded once: see the caches in memory and on disk. */
export class ImageEncoder {
  readonly #scheduler: Scheduler;
  readonly #model: Model;
  readonly #adapters: LoadedAdapters;
  readonly #disk: DiskCache | null;
  readonly #memory: MemoryImageCache;
  /** Warnings of the decoder, by content key. */
  readonly #warnings = new Map<string, readonly string[]>();

  /** @param cacheBytes most bytes of tokens that stay in memory after their last use */
  constructor(
    scheduler: Scheduler,
    model: Model,
    adapters: LoadedAdapters,
    { disk, cacheBytes }: { disk: DiskCache | null; cacheBytes: number },
  ) {
    const { hiddenSize, vision } = model.config;
    this.#scheduler = scheduler;
    this.#model = model;
    this.#adapters = adapters;
    this.#disk = disk;
    this.#memory = new MemoryImageCache(
      (pixels, options) => this.#tokensOf(pixels, options),
      hiddenSize * vision.imageTokens * Float32Array.BYTES_PER_ELEMENT,
      cacheBytes,
    );
  }

  /** From the disk, or through the tower. */
  async #tokensOf(pixels: Float32Array, options: TowerOptions): Promise<EncodedTokens> {
    const { hiddenSize, vision } = this.#model.config;
    const { engine } = this.#model;
    const fingerprint = this.#disk?.fingerprintOf(this.#adapters.imageKeyOf(options.adapter ?? ''));
    const key = fingerprint === undefined ? null : await imageCacheKey(fingerprint, vision.imageSize, pixels);
    if (this.#disk && key !== null) {
      const halves = await this.#disk.files.read(key, hiddenSize * vision.imageTokens);
      options.signal?.throwIfAborted();
      const sizes = [hiddenSize, vision.imageTokens];
      if (halves) {
        const state = await fromHalves(engine, halves, sizes, this.#model.imageTokenProcessor);
        return { state, origin: 'disk', visionMs: 0 };
      }
    }
    const startedAt = performance.now();
    const state = await this.#scheduler.encodeImage(pixels, options);
    const visionMs = performance.now() - startedAt;
    try {
      const halves =
        key === null ? null : await roundToHalves(engine, state, this.#model.imageTokenProcessor);
      // Waited for, since a process that asks once ends soon; it takes far less than the tower.
      if (halves && key !== null) await this.#disk?.files.write(key, halves);
      return { state, origin: 'encoded', visionMs };
    } catch (error) {
      state[Symbol.dispose]();
      throw error;
    }
  }

  get cacheBytes(): number {
    return this.#memory.sizeBytes;
  }

  async read(source: ImageSource, signal: AbortSignal | undefined): Promise<ReadImage> {
    const startedAt = performance.now();
    const file = await asAborted(signal, () => readImage(source, signal ? { signal } : {}));
    const contentKey = await file.sha256();
    return { file, contentKey, readMs: performance.now() - startedAt };
  }

  /** @throws CogVLM2Error for an image that cannot be read, `aborted`. */
  async encode(
    image: ReadImage,
    adapter: string,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal | undefined,
  ): Promise<EncodedImage> {
    const { file, contentKey, readMs } = image;
    const { vision } = this.#model.config;
    let imageMs = readMs;
    const decode = async (left: AbortSignal) => {
      const startedAt = performance.now();
      const decoded = await preprocessImage(file, vision.imageSize, { signal: left });
      imageMs += performance.now() - startedAt;
      return decoded;
    };
    const onLayer = (done: number, total: number) => onProgress({ stage: 'vision', done, total });
    const adapterKey = this.#adapters.imageKeyOf(adapter);
    const key = `${contentKey} ${adapterKey}`;
    const lease = await asAborted(signal, () => this.#memory.acquire(key, adapter, decode, onLayer, signal));
    this.#keepWarnings(contentKey, lease.warnings);
    const { width, height, origin, visionMs } = lease;
    const { imageTokens } = vision;
    const facts = { width, height, imageTokens, contentKey, adapterKey, imageMs, origin, visionMs };
    return new EncodedImage(lease.state, { ...facts, warnings: this.warningsOf(image) }, lease.release);
  }

  /** The warnings of reading and decoding an image, for the answers about it. */
  warningsOf(image: ReadImage | EncodedImage): readonly string[] {
    if (image instanceof EncodedImage) return image.warnings;
    return [...image.file.warnings, ...(this.#warnings.get(image.contentKey) ?? [])];
  }

  #keepWarnings(contentKey: string, warnings: readonly string[]): void {
    if (warnings.length === 0) return;
    this.#warnings.delete(contentKey);
    this.#warnings.set(contentKey, warnings);
    const [oldest] = this.#warnings.keys();
    if (this.#warnings.size > mostWarnings && oldest !== undefined) this.#warnings.delete(oldest);
  }
}

/** Turns the reason of an abort, which the caller chose, into the cause of an error `aborted`. */
export async function asAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (signal?.aborted) throw new CogVLM2Error('aborted', 'Stopped before it was done.', { cause });
    throw cause;
  }
}
