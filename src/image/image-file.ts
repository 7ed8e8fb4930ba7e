import type { ImageFormat } from './sniff.ts';

/** An image file in memory that was read and recognized. What takes an image source also takes this, without reading again. */
export class ImageFile {
  /** As encoded. */
  readonly bytes: Uint8Array;
  readonly format: ImageFormat;
  /** What answers about it should say, such as text of a PDF page that could not be drawn. One sentence each. */
  readonly warnings: readonly string[];
  #sha256: Promise<string> | undefined;

  constructor(bytes: Uint8Array, format: ImageFormat, warnings: readonly string[] = []) {
    this.bytes = bytes;
    this.format = format;
    this.warnings = warnings;
  }

  /** Of the bytes, in hexadecimal; computed once, off the event loop. */
  sha256(): Promise<string> {
    this.#sha256 ??= crypto.subtle
      .digest('SHA-256', this.bytes as Uint8Array<ArrayBuffer>)
      .then((digest) => Buffer.from(digest).toString('hex'));
    return this.#sha256;
  }
}
