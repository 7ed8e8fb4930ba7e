/**
 * Prepares an image for the vision tower: decodes it, resizes it to a square without keeping the aspect ratio, and normalizes
 * it with CLIP's mean and standard deviation. One thread of this process does it, one image at a time. So no image blocks the
 * event loop, and only one decoded image is in memory.
 */
import { setImmediate } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from './formats.ts';
import type { ImageReply, ImageRequest } from './image-thread.ts';
import { type ImageSource, readImage } from './source.ts';
import { SharedThread } from './thread.ts';

/** See `ImageReply`. */
export type PreprocessedImage = ImageReply;

export interface PreprocessOptions {
  readonly limits?: Partial<ImageLimits>;
  readonly signal?: AbortSignal;
}

/** The largest images take some seconds, and longer on a machine that swaps. */
export const imageTimeoutMs = 120_000;

const thread = new SharedThread<ImageRequest, ImageReply>(new URL('./image-thread', import.meta.url));

/** Starts the thread if it is not running. */
export function startImageThread(): void {
  thread.start();
}

/**
 * Reads, decodes, resizes and normalizes one image.
 * @param imageSize side of the model's input square, in pixels (1344 for the published checkpoints)
 * @throws CogVLM2Error invalid_value, file_not_found, invalid_image, image_too_large, aborted, engine_unavailable
 */
export async function preprocessImage(
  source: ImageSource,
  imageSize: number,
  options: PreprocessOptions = {},
): Promise<PreprocessedImage> {
  if (!Number.isInteger(imageSize) || imageSize < 1 || imageSize > 16384) {
    throw new CogVLM2Error(
      'invalid_value',
      `imageSize is ${imageSize}; it must be a whole number from 1 to 16384.`,
    );
  }
  const limits = { ...DEFAULT_IMAGE_LIMITS, ...options.limits };
  const image = await readImage(source, { maxBytes: limits.maxBytes, ...options });
  const bytes = await inSharedMemory(image.bytes);
  return thread.ask(
    { bytes, imageSize, limits },
    { signal: options.signal, timeoutMs: imageTimeoutMs, subject: 'The image' },
  );
}

/** About a millisecond of work. */
const copyStepBytes = 2 ** 20;

/** Copies the bytes to shared memory, which a thread reads without a copy. `postMessage` would copy other bytes in one long step. */
export async function inSharedMemory(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  for (let at = 0; at < bytes.byteLength; at += copyStepBytes) {
    if (at > 0) await setImmediate();
    shared.set(bytes.subarray(at, at + copyStepBytes), at);
  }
  return shared;
}
