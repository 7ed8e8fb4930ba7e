/** An image of a request: a data URL, or an address that the guarded fetcher may fetch. Its header is checked at once. */
import { CogVLM2Error } from '../../errors.ts';
import { readDataUrlInSteps } from '../../image/data-url.ts';
import { readImageHeader } from '../../image/decode.ts';
import {
  checkDimensions,
  DEFAULT_IMAGE_LIMITS,
  type ImageHeader,
  sniffFormat,
  unreadableImage,
} from '../../image/formats.ts';
import { ApiError } from '../api-error.ts';
import { asDataUrl, beginningOf, type ImageText } from '../body/long-string.ts';
import type { FetchImage } from '../image-fetch.ts';
import { IMAGE_FETCH_LIMITS } from '../limits.ts';

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
  text: ImageText,
  { maxPixels, maxBytes, fetchImage }: ImageRules,
  signal: AbortSignal,
): Promise<RequestImage> {
  const url = trimmed(text);
  const dataUrl = dataUrlOf(url);
  const bytes =
    dataUrl === null ? await fetchImage(addressOf(url), signal) : await readDataBytes(dataUrl, maxBytes);
  if (sniffFormat(bytes) === null) throw wrongFormat(bytes, url, 'The image');
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
function dataUrlOf(url: ImageText): ImageText | null {
  const head = beginningOf(url);
  if (/^data:/i.test(head)) return url;
  const isBase64 = !/^[a-z][\w+.-]*:/i.test(head) && sniffFormat(Buffer.from(head, 'base64')) !== null;
  return isBase64 ? asDataUrl(url) : null;
}

/** A `LongString` is too long for an address. Its beginning is enough for the fetcher to refuse it. */
function addressOf(url: ImageText): string {
  return typeof url === 'string' ? url : url.head(IMAGE_FETCH_LIMITS.maxCharacters + 1);
}

/** A `LongString` does not begin with white space, and base64 may end with it. */
export function trimmed(text: ImageText): ImageText {
  return typeof text === 'string' ? text.trim() : text;
}

/** The bytes in a data URL. @throws ApiError invalid_image (not base64); CogVLM2Error image_too_large, invalid_image */
export async function readDataBytes(url: ImageText, maxBytes: number): Promise<Uint8Array> {
  try {
    return await readDataUrlInSteps(url, maxBytes);
  } catch (error) {
    if (!(error instanceof CogVLM2Error) || error.code !== 'invalid_value') throw error;
    throw new ApiError('invalid_image', error.message, { param: 'messages', cause: error });
  }
}

/**
 * The error for bytes in an unsupported format. It names the type that the client sent.
 * @param what the beginning of the message
 * @param readable see `unreadableImage`
 */
export function wrongFormat(bytes: Uint8Array, url: ImageText, what: string, readable?: string): ApiError {
  const type = /^data:([^;,]{1,60})/i.exec(beginningOf(url))?.[1];
  const subject = type === undefined ? what : `${what} (sent as ${type})`;
  const { message } = unreadableImage(bytes, subject, readable);
  return new ApiError('invalid_image_format', message, { param: 'messages' });
}
