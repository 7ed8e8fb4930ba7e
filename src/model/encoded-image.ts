import { CogVLM2Error } from '../errors.ts';
import type { State } from './state.ts';

/** Where an image's tokens come from: the vision tower, the memory of this process, or the image cache on disk. */
export type ImageOrigin = 'encoded' | 'memory' | 'disk';

/** A picture as the decoder sees it: image tokens [H, imageTokens] on the device. Encode once, ask often. */
export class EncodedImage {
  /** Of the picture as it was given, upright, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly imageTokens: number;
  /** Same content, same key: what tells the KV cache that it already holds this picture. */
  readonly contentKey: string;
  readonly origin: ImageOrigin;
  readonly imageMs: number;
  /** 0 where the tower was not run. */
  readonly visionMs: number;
  /** What answers about it say in their `warnings`. */
  readonly warnings: readonly string[];
  readonly #state: State<'imageTokens'>;
  readonly #release: () => void;
  #isDisposed = false;

  /** `release` gives the rows back to whoever keeps them; others may be using the same. */
  constructor(
    state: State<'imageTokens'>,
    facts: Pick<
      EncodedImage,
      'width' | 'height' | 'imageTokens' | 'contentKey' | 'origin' | 'imageMs' | 'visionMs' | 'warnings'
    >,
    release: () => void,
  ) {
    this.#state = state;
    this.#release = release;
    this.width = facts.width;
    this.height = facts.height;
    this.imageTokens = facts.imageTokens;
    this.contentKey = facts.contentKey;
    this.origin = facts.origin;
    this.imageMs = facts.imageMs;
    this.visionMs = facts.visionMs;
    this.warnings = facts.warnings;
  }

  /** Its rows, [H, imageTokens]. @throws CogVLM2Error `disposed`. */
  get state(): State<'imageTokens'> {
    if (this.#isDisposed)
      throw new CogVLM2Error('disposed', 'The picture that this needs was disposed; encode it again.');
    return this.#state;
  }

  /** Gives its memory back; an answer that still needs it ends with the error `disposed`. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
