/** The image of a request: a data URL, or an address that the guarded fetcher may fetch. Its header is checked at once. */
import { CogVLM2Error } from '../../errors.ts';
import { readImageHeader } from '../../image/decode.ts';
import {
  checkDimensions,
  DEFAULT_IMAGE_LIMITS,
  type ImageHeader,
  sniffFormat,
  unreadableImage,
} from '../../image/formats.ts';
import { readDataUrlInSteps } from '../../image/source.ts';
import { ApiError } from '../api-error.ts';
import type { FetchImage } from '../image-fetch.ts';

export interface RequestImage extends ImageHeader {
  bytes: Uint8Array;
  source: 'data' | 'url';
}

export interface ImageRules {
  maxPixels: number;
  /** Largest encoded image. */
  maxBytes: number;
  fetchImage: FetchImage;
}

/** @throws ApiError invalid_image_format, invalid_image, image_too_large, image_url_blocked, image_fetch_failed */
export async function readRequestImage(
  url: string,
  { maxPixels, maxBytes, fetchImage }: ImageRules,
  signal: AbortSignal,
): Promise<RequestImage> {
  const dataUrl = asDataUrl(url.trim());
  const bytes = dataUrl === null ? await fetchImage(url, signal) : await readDataImage(dataUrl, maxBytes);
  if (sniffFormat(bytes) === null) {
    const type = /^data:([^;,]{1,60})/i.exec(url)?.[1];
    const subject = type === undefined ? 'The image' : `The image (sent as ${type})`;
    throw new ApiError('invalid_image_format', unreadableImage(bytes, subject).message, {
      param: 'messages',
    });
  }
  const header = await readImageHeader(bytes);
  try {
    checkDimensions(header, { ...DEFAULT_IMAGE_LIMITS, maxPixels });
  } catch (error) {
    if (!(error instanceof CogVLM2Error)) throw error;
    const message = `${error.message} The server's limit of pixels is set by --max-image-pixels.`;
    throw new ApiError('image_too_large', message, { param: 'messages', cause: error });
  }
  return { ...header, bytes, source: dataUrl === null ? 'url' : 'data' };
}

/** A data URL as it is, and base64 without its beginning, which some clients leave out; null for anything else. */
function asDataUrl(url: string): string | null {
  // Only the beginning: the whole may be megabytes, through which an expression would run.
  const head = url.slice(0, 64);
  if (/^data:/i.test(head)) return url;
  const isBase64 = !/^[a-z][\w+.-]*:/i.test(head) && sniffFormat(Buffer.from(head, 'base64')) !== null;
  return isBase64 ? `data:;base64,${url}` : null;
}

async function readDataImage(url: string, maxBytes: number): Promise<Uint8Array> {
  try {
    return await readDataUrlInSteps(url, maxBytes);
  } catch (error) {
    if (!(error instanceof CogVLM2Error) || error.code !== 'invalid_value') throw error;
    throw new ApiError('invalid_image', error.message, { param: 'messages', cause: error });
  }
}
