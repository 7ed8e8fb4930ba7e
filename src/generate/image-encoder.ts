import { takesVideo } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import { preprocessImage } from '../image/preprocess.ts';
import { ImageFile, readImage } from '../image/source.ts';
import type { Model } from '../model/cogvlm2.ts';
import { pixelNumbers } from '../model/config.ts';
import { EncodedImage, fromHalves, roundToHalves } from '../model/encoded-image.ts';
import type { TowerOptions } from '../model/vision-tower.ts';
import {
  isFrames,
  isReadVideo,
  kindOf,
  readVideo,
  type Video,
  type VideoOptions,
  type VisualSource,
} from '../video/video.ts';
import type { LoadedAdapters } from './adapters.ts';
import { type DiskImageCache, imageCacheKey } from './disk-image-cache.ts';
import { type EncodedTokens, MemoryImageCache } from './memory-image-cache.ts';
import type { Scheduler } from './scheduler.ts';
import type { Progress } from './types.ts';

/** An image that was read but not decoded, or the frames of a video. */
export class ReadImage {
  readonly content: ImageFile | Video;
  /** SHA-256 of the bytes (for a video, of its frames), in hexadecimal. */
  readonly contentKey: string;
  readonly readMs: number;

  constructor(content: ImageFile | Video, contentKey: string, readMs: number) {
    this.content = content;
    this.contentKey = contentKey;
    this.readMs = readMs;
  }

  /** Of a video: see `Video`. */
  get frameTexts(): readonly string[] | undefined {
    return this.content instanceof ImageFile ? undefined : this.content.frameTexts;
  }
}

/** The image cache on disk, and the hash of the model's weights for an image key. */
export interface DiskCache {
  files: DiskImageCache;
  fingerprintOf(adapterKey: string): string;
}

/** Images whose warnings are kept, for answers from a prefix cache, where nothing is decoded. */
const mostWarnings = 1_000;

/** Encodes any image source to image tokens. Each image is encoded once: see the caches in memory and on disk. */
export class ImageEncoder {
  readonly #scheduler: Scheduler;
  readonly #model: Model;
  readonly #adapters: LoadedAdapters;
  readonly #disk: DiskCache | null;
  readonly #memory: MemoryImageCache;
  /** Warnings of the decoder, by content key. */
  readonly #warnings = new Map<string, readonly string[]>();

  /** @param cacheBytes limit for tokens that stay in memory after their last use */
  constructor(
    scheduler: Scheduler,
    model: Model,
    adapters: LoadedAdapters,
    { disk, cacheBytes }: { disk: DiskCache | null; cacheBytes: number },
  ) {
    this.#scheduler = scheduler;
    this.#model = model;
    this.#adapters = adapters;
    this.#disk = disk;
    this.#memory = new MemoryImageCache((pixels, options) => this.#tokensOf(pixels, options), cacheBytes);
  }

  /** See `takesVideo`. */
  get readsVideos(): boolean {
    return takesVideo(this.#model.config);
  }

  /**
   * Encodes an image, or all frames of a video, or reads them from the disk cache. Each frame has its own entry there. If one is
   * missing, all frames pass the tower, which reads its weights once for all of them.
   * @param pixels [frames, 3, S, S]
   */
  async #tokensOf(pixels: Float32Array, options: TowerOptions): Promise<EncodedTokens> {
    const disk = this.#disk;
    if (disk === null) return this.#runTower(pixels, options);
    const { config, engine, imageTokenProcessor } = this.#model;
    const { hiddenSize, vision } = config;
    const fingerprint = disk.fingerprintOf(this.#adapters.imageKeyOf(options.adapter ?? ''));
    const frameSize = pixelNumbers(vision);
    const keys: string[] = [];
    for (let start = 0; start < pixels.length; start += frameSize) {
      const frame = pixels.subarray(start, start + frameSize);
      keys.push(await imageCacheKey(fingerprint, vision.imageSize, frame));
    }
    const tokenNumbers = hiddenSize * vision.imageTokens;
    const found = await entriesOf(disk.files, keys, tokenNumbers);
    options.signal?.throwIfAborted();
    if (found) {
      const sizes = [hiddenSize, keys.length * vision.imageTokens];
      const state = await fromHalves(engine, found, sizes, imageTokenProcessor);
      return { state, origin: 'disk', visionMs: 0 };
    }
    const encoded = await this.#runTower(pixels, options);
    try {
      const halves = await roundToHalves(engine, encoded.state, imageTokenProcessor);
      // Awaited, because a process with one question ends soon. It takes far less time than the tower.
      if (halves) {
        for (const [i, key] of keys.entries())
          await disk.files.write(key, halves.subarray(i * tokenNumbers, (i + 1) * tokenNumbers));
      }
      return encoded;
    } catch (error) {
      encoded.state[Symbol.dispose]();
      throw error;
    }
  }

  async #runTower(pixels: Float32Array, options: TowerOptions): Promise<EncodedTokens> {
    const startedAt = performance.now();
    const state = await this.#scheduler.encodeImage(pixels, options);
    return { state, origin: 'encoded', visionMs: performance.now() - startedAt };
  }

  get cacheBytes(): number {
    return this.#memory.sizeBytes;
  }

  /**
   * An image that was already read is returned unchanged.
   * @param template the question's template, which decides the frames of a video
   */
  async read(
    source: ReadImage | VisualSource,
    template: VideoOptions['template'] | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ReadImage> {
    if (source instanceof ReadImage) return source;
    const startedAt = performance.now();
    const content = await asAborted(signal, () => this.#contentOf(source, template, signal));
    const contentKey = content instanceof ImageFile ? await content.sha256() : content.contentKey;
    return new ReadImage(content, contentKey, performance.now() - startedAt);
  }

  async #contentOf(
    source: VisualSource,
    template: VideoOptions['template'] | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ImageFile | Video> {
    const { config } = this.#model;
    if (this.readsVideos) {
      const size = config.vision.imageSize;
      const video = await readVideo(source, { size, template: template ?? config.template, signal });
      const length = 3 * size ** 2 * video.frameTexts.length;
      if (video.pixels.length === length) return video;
      throw new CogVLM2Error(
        'invalid_value',
        `The video was not read for frames of ${size} x ${size} pixels.`,
      );
    }
    if (
      isFrames(source) ||
      isReadVideo(source) ||
      (typeof source === 'string' && (await kindOf(source)) === 'video')
    ) {
      throw new CogVLM2Error(
        'invalid_image',
        `This model sees images, not videos. Ask a video model such as cogvlm2-llama3-caption, or save one frame as PNG or JPEG.`,
      );
    }
    return readImage(source, signal ? { signal } : {});
  }

  /** @throws CogVLM2Error for an image that cannot be read, `aborted`. */
  async encode(
    image: ReadImage,
    adapter: string,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal | undefined,
  ): Promise<EncodedImage> {
    const { content, frameTexts, contentKey, readMs } = image;
    const { vision } = this.#model.config;
    let imageMs = readMs;
    const decode = async (left: AbortSignal) => {
      if (!(content instanceof ImageFile)) return content;
      const startedAt = performance.now();
      const decoded = await preprocessImage(content, vision.imageSize, { signal: left });
      imageMs += performance.now() - startedAt;
      return decoded;
    };
    const onLayer = (done: number, total: number) => onProgress({ stage: 'vision', done, total });
    const adapterKey = this.#adapters.imageKeyOf(adapter);
    const key = `${contentKey} ${adapterKey}`;
    const lease = await asAborted(signal, () => this.#memory.acquire(key, adapter, decode, onLayer, signal));
    this.#keepWarnings(contentKey, lease.warnings);
    const { width, height, origin, visionMs } = lease;
    const imageTokens = vision.imageTokens * (frameTexts?.length ?? 1);
    const facts = {
      width,
      height,
      imageTokens,
      frameTexts,
      contentKey,
      adapterKey,
      imageMs,
      origin,
      visionMs,
    };
    return new EncodedImage(lease.state, { ...facts, warnings: this.warningsOf(image) }, lease.release);
  }

  /** Warnings of reading and decoding an image, for answers about it. */
  warningsOf(image: ReadImage | EncodedImage): readonly string[] {
    if (image instanceof EncodedImage) return image.warnings;
    const { content, contentKey } = image;
    if (!(content instanceof ImageFile)) return content.warnings;
    return [...content.warnings, ...(this.#warnings.get(contentKey) ?? [])];
  }

  #keepWarnings(contentKey: string, warnings: readonly string[]): void {
    if (warnings.length === 0) return;
    this.#warnings.delete(contentKey);
    this.#warnings.set(contentKey, warnings);
    const [oldest] = this.#warnings.keys();
    if (this.#warnings.size > mostWarnings && oldest !== undefined) this.#warnings.delete(oldest);
  }
}

/** The entries of all keys, one after the other; null if one is missing. */
async function entriesOf(
  files: DiskImageCache,
  keys: readonly string[],
  numbers: number,
): Promise<Uint16Array | null> {
  const all = new Uint16Array(keys.length * numbers);
  for (const [i, key] of keys.entries()) {
    const entry = await files.read(key, numbers);
    if (!entry) return null;
    all.set(entry, i * numbers);
  }
  return all;
}

/** Converts the reason of an abort, which the caller chose, to the cause of an error `aborted`. */
export async function asAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (signal?.aborted) throw new CogVLM2Error('aborted', 'Stopped before it was done.', { cause });
    throw cause;
  }
}
