/** The picture of a request: a data URL, or an address that the guarded fetcher may fetch; its header checked at once. */
import { CogVLM2Error } from '../../errors.ts';
import { type ImageHeader, readImageHeader } from '../../image/decode.ts';
import { describeOther, sniffFormat } from '../../image/sniff.ts';
import { readDataUrl } from '../../image/source.ts';
import { ApiError } from '../api-error.ts';
import type { FetchImage } from '../image-fetch.ts';

export interface RequestImage extends ImageHeader {
  bytes: Uint8Array;
  source: 'data' | 'url';
}

export interface ImageRules {
  maxPixels: number;
  /** Largest encoded picture. */
  maxBytes: number;
  fetchImage: FetchImage;
}

/** @throws ApiError invalid_image_format, invalid_image, image_too_large, image_url_blocked, image_fetch_failed */
export async function readRequestImage(
  url: string,
  { maxPixels, maxBytes, fetchImage }: ImageRules,
  signal: AbortSignal,
): Promise<RequestImage> {
  const source = /^data:/i.test(url) ? 'data' : 'url';
  const bytes = source === 'data' ? readDataImage(url, maxBytes) : await fetchImage(url, signal);
  if (sniffFormat(bytes) === null) {
    throw new ApiError(
      'invalid_image_format',
      `The image is ${describeOther(bytes)}; this server reads JPEG, PNG and WebP.`,
      { param: 'messages' },
    );
  }
  const header = await readImageHeader(bytes);
  const { width, height } = header;
  if (width * height > maxPixels) {
    const size = `${width} x ${height} (${inMega(width * height)} megapixels)`;
    throw new ApiError(
      'image_too_large',
      `The image is ${size}; the limit is ${inMega(maxPixels)} megapixels (--max-image-pixels).`,
      { param: 'messages' },
    );
  }
  return { ...header, bytes, source };
}

function readDataImage(url: string, maxBytes: number): Uint8Array {
  const type = /^data:([^;,]{0,60})/i.exec(url)?.[1] ?? '';
  if (!/^image\/(?:png|jpe?g|webp)$/i.test(type)) {
    throw new ApiError(
      'invalid_image_format',
      `The image is ${type || 'of no type'}; this server reads JPEG, PNG and WebP.`,
      { param: 'messages' },
    );
  }
  try {
    return readDataUrl(url, maxBytes);
  } catch (error) {
    if (!(error instanceof CogVLM2Error) || error.code !== 'invalid_value') throw error;
    throw new ApiError('invalid_image', error.message, { param: 'messages', cause: error });
  }
}

function inMega(pixels: number): string {
  return String(Math.round(pixels / 10_000) / 100);
}
