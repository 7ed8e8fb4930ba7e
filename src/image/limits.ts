/** What a picture may cost before anything is decoded. */
export interface ImageLimits {
  /** Largest encoded picture, in bytes. */
  readonly maxBytes: number;
  /** Largest decoded picture, in pixels (width x height). */
  readonly maxPixels: number;
}

/**
 * 64 MiB holds any camera's JPEG; 64 megapixels decode to 192 MB. A PNG of a few kilobytes can declare gigapixels, so
 * the pixels are checked against the header, before decoding.
 */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = { maxBytes: 64 * 2 ** 20, maxPixels: 64_000_000 };
