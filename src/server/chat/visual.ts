/** Reads the image of a request or, for a video model, its video or frames. Videos are decoded here, in the server's process. */
import { takesVideo } from '../../checkpoint/types.ts';
import { CogVLM2Error } from '../../errors.ts';
import { readDataUrlInSteps } from '../../image/data-url.ts';
import { readImageHeader } from '../../image/decode.ts';
import {
  checkDimensions,
  DEFAULT_IMAGE_LIMITS,
  type ImageHeader,
  isVideo,
  sniffFormat,
  unreadableImage,
} from '../../image/formats.ts';
import type { GenerateOptions, ModelInfo } from '../../index.ts';
import { readVideo, type Video, type VisualSource, videoFormats } from '../../video/video.ts';
import { ApiError } from '../api-error.ts';
import { asDataUrl, beginningOf, type ImageText } from '../body/long-string.ts';
import type { VideoFacts } from '../engine/protocol.ts';
import type { FetchImage } from '../image-fetch.ts';
import { IMAGE_FETCH_LIMITS, VIDEO_LIMITS } from '../limits.ts';
import { fieldError } from './fields.ts';
import type { Visual } from './messages.ts';

export interface ImageRules {
  maxPixels: number;
  /** Maximum size of an encoded image. */
  maxBytes: number;
  fetchImage: FetchImage;
}

/** The input of the engine: an image file, or the pixels of frames. */
export interface RequestVisual {
  bytes: Uint8Array;
  /** The facts of the frames; null for an image file. */
  video: VideoFacts | null;
  source: 'data' | 'url' | 'video' | 'frames';
  /** For the log. */
  label: string;
}

/**
 * @param template the template of the question
 * @throws ApiError unsupported (a video for an image model, no ffmpeg), invalid_image, image_too_large, and those of
 * `readRequestImage`
 */
export async function readRequestVisual(
  visual: Visual,
  { info, template }: { info: ModelInfo; template: GenerateOptions['template'] },
  rules: ImageRules,
  signal: AbortSignal,
): Promise<RequestVisual> {
  if (!takesVideo(info)) {
    if (visual.type !== 'image') throw notAVideoModel(visual.at, info.name);
    const { bytes, source, width, height, format } = await readRequestImage(visual.url, rules, signal);
    return { bytes, video: null, source, label: `${width} x ${height} ${format}` };
  }
  const { source, content } = await readContent(visual, rules, signal);
  const options = {
    size: info.imageSize,
    template: template ?? info.template,
    limits: { maxPixels: rules.maxPixels, ...VIDEO_LIMITS },
    signal,
  };
  const video = await readVideo(content, options).catch((error: unknown) => {
    signal.throwIfAborted();
    throw visual.type === 'video' ? withoutFfmpeg(error) : error;
  });
  return visualOf(video, source);
}

/** The input of `readVideo`. */
async function readContent(
  visual: Visual,
  rules: ImageRules,
  signal: AbortSignal,
): Promise<{ source: RequestVisual['source']; content: VisualSource }> {
  if (visual.type === 'video')
    return { source: 'video', content: await readVideoBytes(visual.url, visual.at, rules) };
  if (visual.type === 'image') {
    const { bytes, source } = await readRequestImage(visual.url, rules, signal);
    return { source, content: bytes };
  }
  const frames = [];
  for (const { second, url } of visual.frames)
    frames.push({ second, image: (await readRequestImage(url, rules, signal)).bytes });
  return { source: 'frames', content: frames };
}

/** Videos are not fetched from addresses. @throws ApiError invalid_value, invalid_image, invalid_image_format */
async function readVideoBytes(text: ImageText, at: string, { maxBytes }: ImageRules): Promise<Uint8Array> {
  const url = trimmed(text);
  if (!/^data:/i.test(beginningOf(url))) {
    const message = `${at} must be a data URL such as data:video/mp4;base64,...: this server fetches no videos.`;
    throw fieldError(at, message);
  }
  const bytes = await readDataBytes(url, maxBytes);
  if (isVideo(bytes)) return bytes;
  const format = sniffFormat(bytes);
  if (format !== null)
    throw fieldError(at, `${at} is an image in the format ${format.toUpperCase()}: send it as image_url.`);
  throw wrongFormat(bytes, url, 'The video', videoFormats);
}

function visualOf({ pixels, ...video }: Video, source: RequestVisual['source']): RequestVisual {
  const { width, height, frameTexts } = video;
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return { bytes, video, source, label: `${width} x ${height}, ${frameTexts.length} frames` };
}

function notAVideoModel(at: string, name: string): ApiError {
  const message = `${at} is a video, but ${name} sees images. Serve a video model such as cogvlm2-llama3-caption, or send one frame as image_url.`;
  return fieldError(at, message, 'unsupported');
}

function withoutFfmpeg(error: unknown): unknown {
  if (!(error instanceof CogVLM2Error) || error.code !== 'engine_unavailable') return error;
  const message =
    'This server has no ffmpeg, so it reads no video files. Send the frames as images: {"type":"video_frames","video_frames":[{"second":0,"url":"data:image/jpeg;base64,..."}]}.';
  return new ApiError('unsupported', message, { param: 'messages', cause: error });
}

// An image is a data URL, or an address that the guarded fetcher may fetch. Its header is checked before it waits.

interface RequestImage extends ImageHeader {
  bytes: Uint8Array;
  source: 'data' | 'url';
}

/** @throws ApiError invalid_image_format, invalid_image, image_too_large, image_url_blocked, image_fetch_failed */
async function readRequestImage(
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

/** A data URL. Some clients send base64 without the beginning of a data URL, which is added. Null for anything else. */
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
function trimmed(text: ImageText): ImageText {
  return typeof text === 'string' ? text.trim() : text;
}

/** The bytes in a data URL. @throws ApiError invalid_image (not base64); CogVLM2Error image_too_large, invalid_image */
async function readDataBytes(url: ImageText, maxBytes: number): Promise<Uint8Array> {
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
function wrongFormat(bytes: Uint8Array, url: ImageText, what: string, readable?: string): ApiError {
  const type = /^data:([^;,]{1,60})/i.exec(beginningOf(url))?.[1];
  const subject = type === undefined ? what : `${what} (sent as ${type})`;
  const { message } = unreadableImage(bytes, subject, readable);
  return new ApiError('invalid_image_format', message, { param: 'messages' });
}
