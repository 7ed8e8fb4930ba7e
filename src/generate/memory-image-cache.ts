import type { TensorSet } from '../ggml/engine.ts';
import type { PreprocessedImage } from '../image/preprocess.ts';
import type { ImageOrigin } from '../model/encoded-image.ts';
import type { TowerOptions } from '../model/vision-tower.ts';

/** An image's tokens, their origin, and the time of the tower. */
export interface EncodedTokens {
  state: TensorSet<'imageTokens'>;
  origin: ImageOrigin;
  visionMs: number;
}

type Encode = (pixels: Float32Array, options: TowerOptions) => Promise<EncodedTokens>;

/** An image's tokens, kept alive until they are released. */
export interface ImageLease extends EncodedTokens {
  /** Size of the image before it was resized. */
  width: number;
  height: number;
  warnings: readonly string[];
  release: () => void;
}

interface Entry {
  work: Promise<Omit<ImageLease, 'release'>>;
  /** Once it is encoded. */
  state: TensorSet<'imageTokens'> | null;
  users: number;
  stop: AbortController;
  listeners: Set<(done: number, total: number) => void>;
}

/**
 * Image tokens in memory, keyed by a hash of the file's bytes and by the encoding adapter. An image is encoded once, also for
 * concurrent questions about it. Images that are not in use are kept up to a limit of bytes (LRU).
 */
export class MemoryImageCache {
  readonly #encode: Encode;
  readonly #mostBytes: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(encode: Encode, mostBytes: number) {
    this.#encode = encode;
    this.#mostBytes = mostBytes;
  }

  get sizeBytes(): number {
    return [...this.#entries.values()].reduce((sum, { state }) => sum + bytesOf(state), 0);
  }

  /**
   * @param adapter the adapter for encoding
   * @param read decodes the image. Images are decoded and encoded one at a time, so that few of them are in memory as pixels. The
   * work stops when no question waits for it any more.
   */
  async acquire(
    key: string,
    adapter: string,
    read: (signal: AbortSignal) => Promise<PreprocessedImage>,
    onLayer: (done: number, total: number) => void,
    signal?: AbortSignal,
  ): Promise<ImageLease> {
    const known = this.#entries.get(key);
    const entry = known ?? this.#begin(key, adapter, read);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const wasCached = entry.state !== null;
    entry.users++;
    entry.listeners.add(onLayer);
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      entry.users--;
      entry.listeners.delete(onLayer);
      if (entry.users === 0 && !entry.state) this.#drop(key, entry);
      this.#evict();
    };
    try {
      const encoded = await unlessAborted(entry.work, signal);
      return wasCached ? { ...encoded, origin: 'memory', visionMs: 0, release } : { ...encoded, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #begin(key: string, adapter: string, read: (signal: AbortSignal) => Promise<PreprocessedImage>): Entry {
    const stop = new AbortController();
    const entry: Entry = {
      work: this.#last.then(async () => {
        stop.signal.throwIfAborted();
        const { pixels, width, height, warnings } = await read(stop.signal);
        const onLayer = (done: number, total: number) => {
          for (const listener of entry.listeners) listener(done, total);
        };
        const encoded = await this.#encode(pixels, { adapter, signal: stop.signal, onLayer });
        entry.state = encoded.state;
        return { ...encoded, width, height, warnings };
      }),
      state: null,
      users: 0,
      stop,
      listeners: new Set(),
    };
    this.#last = entry.work.catch(() => this.#drop(key, entry));
    return entry;
  }

  #drop(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    entry.stop.abort();
    entry.state?.[Symbol.dispose]();
  }

  #evict(): void {
    for (const [key, entry] of this.#entries) {
      if (this.sizeBytes <= this.#mostBytes) return;
      if (entry.users === 0 && entry.state) this.#drop(key, entry);
    }
  }
}

/** Bytes of image tokens in float32. */
function bytesOf(state: TensorSet<'imageTokens'> | null): number {
  const shape = state?.get('imageTokens').shape ?? [0];
  return shape.reduce((product, axis) => product * axis, Float32Array.BYTES_PER_ELEMENT);
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
