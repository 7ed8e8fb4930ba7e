/** A string of a body that is longer than text may be: an image. It is kept as the bytes that arrived. */
import { headOf, type LongText } from '../../image/data-url.ts';

/** Longest value that becomes a JavaScript string: making one of 31 MB blocks the event loop for 50 ms and more. */
export const LONGEST_STRING = 2 ** 20;

/** Fields of a body that may hold an image, and those where clients put one by mistake; their readers say so. */
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

/** An image as a body has it: an address, a data URL or base64. */
export type ImageText = string | LongString;

export function isImageText(value: unknown): value is ImageText {
  return typeof value === 'string' || value instanceof LongString;
}

/** The first characters: enough to tell an address from a data URL and from base64. */
export function beginningOf(text: ImageText): string {
  return typeof text === 'string' ? text.slice(0, 64) : text.head(64);
}

/** Base64 as a data URL. */
export function asDataUrl(base64: ImageText): ImageText {
  const head = 'data:;base64,';
  return typeof base64 === 'string' ? head + base64 : new LongString([Buffer.from(head), ...base64.pieces]);
}
