import { CogVLM2Error } from '../errors.ts';
import type { ImageFormat } from './sniff.ts';

/** What an image may cost. All of it is checked before anything is decoded. */
export interface ImageLimits {
  /** Largest encoded image, in bytes. */
  readonly maxBytes: number;
  /** Most pixels that are held in memory. A JPEG may have more in its file, because it is shrunk while it is decoded. */
  readonly maxPixels: number;
  /** Longest side, in pixels. */
  readonly maxSide: number;
  /** Longer side divided by the shorter side. */
  readonly maxAspectRatio: number;
}

/**
 * 64 MiB holds any camera's JPEG; 64 megapixels decode to 192 MB. 65,535 pixels is the longest side of a JPEG. The model
 * sees a square, so beyond 200 to 1 nothing of the image is left that could be recognized.
 */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxBytes: 64 * 2 ** 20,
  maxPixels: 64_000_000,
  maxSide: 65_535,
  maxAspectRatio: 200,
};

/**
 * A JPEG's file may have this many times `maxPixels` (256 megapixels by default). A progressive one may have half of
 * that: its decoder holds the coefficients of the whole image.
 */
const baselineJpegFactor = 4;
const progressiveJpegFactor = 2;

export interface ImageHeader {
  readonly format: ImageFormat;
  /** As stored: an image that is rotated upright afterwards may have them the other way round. */
  readonly width: number;
  readonly height: number;
  readonly isProgressive: boolean;
}

/** @throws CogVLM2Error image_too_large, with the size, the limit and what to do */
export function checkDimensions(header: ImageHeader, limits: ImageLimits): void {
  const { width, height } = header;
  const size = `The image is ${width} x ${height} pixels`;
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)];
  if (longer > limits.maxSide) {
    throw tooLarge(`${size}; the limit for a side is ${limits.maxSide} pixels. Make it smaller, or cut it.`);
  }
  if (longer > shorter * limits.maxAspectRatio) {
    const ratio = Math.floor(longer / shorter);
    throw tooLarge(
      `${size}, a ratio of ${ratio} to 1; the limit is ${limits.maxAspectRatio} to 1. Cut it into parts.`,
    );
  }
  const maxPixels = maxFilePixels(header, limits);
  if (width * height > maxPixels) {
    throw tooLarge(
      `${size}, ${inMega(width * height)} megapixels; the limit for ${describe(header)} is ${inMega(maxPixels)}. Make it smaller.`,
    );
  }
}

/**
 * By how much a JPEG is shrunk while it is decoded: 1, 2, 4 or 8, the least that leaves `maxPixels`. Other formats
 * are decoded as they are.
 */
export function shrinkOnLoad(header: ImageHeader, { maxPixels }: ImageLimits): number {
  let shrink = 1;
  while (shrink < 8 && Math.ceil(header.width / shrink) * Math.ceil(header.height / shrink) > maxPixels) {
    shrink *= 2;
  }
  return header.format === 'jpeg' ? shrink : 1;
}

function maxFilePixels({ format, isProgressive }: ImageHeader, { maxPixels }: ImageLimits): number {
  if (format !== 'jpeg') return maxPixels;
  return maxPixels * (isProgressive ? progressiveJpegFactor : baselineJpegFactor);
}

function describe({ format, isProgressive }: ImageHeader): string {
  if (format !== 'jpeg') return 'this format';
  return isProgressive ? 'a progressive JPEG' : 'a JPEG';
}

function inMega(pixels: number): string {
  return String(Math.round(pixels / 10_000) / 100);
}

function tooLarge(message: string): CogVLM2Error {
  return new CogVLM2Error('image_too_large', message);
}
