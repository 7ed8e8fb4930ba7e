import { CogVLM2Error } from '../errors.ts';
import type { State } from './state.ts';

/** Where an image's tokens come from: the vision tower, the memory of this process, or the image cache on disk. */
export type ImageOrigin = 'encoded' | 'memory' | 'disk';

/** An image as the decoder reads it: image tokens [H, imageTokens] on the device. One can ask many questions about it. */
export class EncodedImage {
  /** Of the original image, upright, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly imageTokens: number;
  /** The same content has the same key, by which the KV cache finds an image that it holds already. */
  readonly contentKey: string;
  /** Which adapter changed the vision tower that encoded it; '' for none. */
  readonly adapterKey: string;
  readonly origin: ImageOrigin;
  readonly imageMs: number;
  /** 0 where the tower was not run. */
  readonly visionMs: number;
  /** For the `warnings` of answers about this image. */
  readonly warnings: readonly string[];
  readonly #state: State<'imageTokens'>;
  readonly #release: () => void;
  #isDisposed = false;

  /** `release` returns the rows to their owner; others may be using the same rows. */
  constructor(
    state: State<'imageTokens'>,
    facts: Pick<
      EncodedImage,
      | 'width'
      | 'height'
      | 'imageTokens'
      | 'contentKey'
      | 'adapterKey'
      | 'origin'
      | 'imageMs'
      | 'visionMs'
      | 'warnings'
    >,
    release: () => void,
  ) {
    this.#state = state;
    this.#release = release;
    this.width = facts.width;
    this.height = facts.height;
    this.imageTokens = facts.imageTokens;
    this.contentKey = facts.contentKey;
    this.adapterKey = facts.adapterKey;
    this.origin = facts.origin;
    this.imageMs = facts.imageMs;
    this.visionMs = facts.visionMs;
    this.warnings = facts.warnings;
  }

  /** The image tokens [H, imageTokens]. @throws CogVLM2Error `disposed`. */
  get state(): State<'imageTokens'> {
    if (this.#isDisposed)
      throw new CogVLM2Error('disposed', 'The picture that this needs was disposed; encode it again.');
    return this.#state;
  }

  /** Frees the memory. An answer that still needs it ends with the error `disposed`. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
