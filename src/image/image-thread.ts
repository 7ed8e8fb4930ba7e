/** Decodes and resizes images away from the event loop. */
import { decodeImage, loadSharp } from './decode.ts';
import type { ImageLimits } from './formats.ts';
import { normalizePixels, resizeBicubic } from './resize.ts';
import { answerRequests, limitWasmMemory } from './thread.ts';

export interface ImageRequest {
  readonly bytes: Uint8Array;
  /** Side of the square that the model reads, in pixels. */
  readonly imageSize: number;
  readonly limits: ImageLimits;
}

export interface ImageReply {
  /** [3, imageSize, imageSize], normalised. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** Of the image before it was resized, upright. */
  readonly width: number;
  readonly height: number;
  readonly warnings: readonly string[];
}

/** libheif holds the planes and the RGBA of 64 megapixels. */
const maxWasmBytes = 768 * 2 ** 20;

limitWasmMemory(() => maxWasmBytes);
// Before the first image; that it does not load is told with one.
loadSharp().catch(() => {});
answerRequests<ImageRequest, ImageReply>('The image', async ({ bytes, imageSize, limits }) => {
  const { width, height, data, warnings } = await decodeImage(bytes, limits);
  const pixels = normalizePixels(resizeBicubic({ width, height, data }, imageSize, imageSize));
  return { reply: { pixels, width, height, warnings }, transfer: [pixels.buffer] };
});
