/** A string of a body that is too long for text, so it must be an image. It stays in the bytes that arrived. */
import { headOf, type LongText } from '../../image/data-url.ts';

/** Longest value that becomes a JavaScript string. Creating one of 31 MB blocks the event loop for 50 ms or more. */
export const LONGEST_STRING = 2 ** 20;

/** Fields that can have an image, and fields where clients put one by mistake: the readers of those report the mistake. */
const IMAGE_FIELDS = new Set([
  'url',
  'image_url',
  'images',
  'image',
  'video_url',
  'video',
  'videos',
  'input_image',
]);

export class LongString implements LongText {
  readonly length: number;
  readonly pieces: readonly Uint8Array[];

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces;
    this.length = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  static mayBeIn(field: string): boolean {
    return IMAGE_FIELDS.has(field);
  }

  /** The first characters. */
  head(count: number): string {
    return headOf(this, count);
  }
}

/** An image in a body: an address, a data URL or base64. */
export type ImageText = string | LongString;

export function isImageText(value: unknown): value is ImageText {
  return typeof value === 'string' || value instanceof LongString;
}

/** The first characters: enough to distinguish an address, a data URL and base64. */
export function beginningOf(text: ImageText): string {
  return typeof text === 'string' ? text.slice(0, 64) : text.head(64);
}

/** Base64 as a data URL. */
export function asDataUrl(base64: ImageText): ImageText {
  const head = 'data:;base64,';
  return typeof base64 === 'string' ? head + base64 : new LongString([Buffer.from(head), ...base64.pieces]);
}
