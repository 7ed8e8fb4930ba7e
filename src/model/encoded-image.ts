import type { State } from './state.ts';

/** A picture as the decoder sees it: image tokens [H, imageTokens] on the device. Encode once, ask often. */
export class EncodedImage {
  /** Of the picture as it was given, upright, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly imageTokens: number;
  /** Same content, same key: what tells the KV cache that it already holds this picture. */
  readonly contentKey: string;
  readonly imageMs: number;
  readonly visionMs: number;
  /** Its rows, [H, imageTokens]. */
  readonly state: State<'imageTokens'>;

  constructor(
    state: State<'imageTokens'>,
    facts: Pick<EncodedImage, 'width' | 'height' | 'imageTokens' | 'contentKey' | 'imageMs' | 'visionMs'>,
  ) {
    this.state = state;
    this.width = facts.width;
    this.height = facts.height;
    this.imageTokens = facts.imageTokens;
    this.contentKey = facts.contentKey;
    this.imageMs = facts.imageMs;
    this.visionMs = facts.visionMs;
  }

  /** Frees its memory; an answer that still needs it ends with the error `disposed`. */
  dispose(): void {
    this.state[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
