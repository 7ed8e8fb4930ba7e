import { createHash } from 'node:crypto';
import { CogVLM2Error } from '../errors.ts';
import { preprocessImage } from '../image/preprocess.ts';
import { type ImageSource, readImageSource } from '../image/source.ts';
import { EncodedImage } from '../model/encoded-image.ts';
import type { Batch } from './batch.ts';
import { ImageTokens } from './image-tokens.ts';
import type { Progress } from './types.ts';

/** A picture whose bytes are here, not decoded yet. */
export interface Picture {
  bytes: Uint8Array;
  /** SHA-256 of the bytes, in hexadecimal. */
  contentKey: string;
  readMs: number;
}

/** From any source to image tokens, each picture once. */
export class Pictures {
  readonly #batch: Batch;
  readonly #tokens: ImageTokens;

  constructor(batch: Batch, cacheBytes: number) {
    const { hiddenSize, vision } = batch.config;
    this.#batch = batch;
    this.#tokens = new ImageTokens(
      (pixels, options) => this.#batch.encodeImage(pixels, options),
      hiddenSize * vision.imageTokens * Float32Array.BYTES_PER_ELEMENT,
      cacheBytes,
    );
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
    const { width, height } = lease;
    const facts = { width, height, imageTokens: vision.imageTokens, contentKey, imageMs };
    return new EncodedImage(
      lease.state,
      { ...facts, visionMs: lease.wasCached ? 0 : lease.visionMs },
      lease.release,
    );
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
