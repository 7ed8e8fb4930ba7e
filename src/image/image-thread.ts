/** The thread that decodes and resizes images. */
import { decodeImage, loadSharp } from './decode.ts';
import type { ImageLimits } from './formats.ts';
import { normalizePixels, resizeBicubic } from './resize.ts';
import { answerRequests, limitWasmMemory } from './thread.ts';

export interface ImageRequest {
  readonly bytes: Uint8Array;
  /** Side of the model's input square, in pixels. */
  readonly imageSize: number;
  readonly limits: ImageLimits;
}

export interface ImageReply {
  /** [3, imageSize, imageSize], normalised. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** Size of the upright image before it was resized. */
  readonly width: number;
  readonly height: number;
  readonly warnings: readonly string[];
}

/** Enough for libheif's planes and the RGBA of 64 megapixels. */
const maxWasmBytes = 768 * 2 ** 20;

limitWasmMemory(() => maxWasmBytes);
// Loads sharp before the first image. If it does not load, the first image reports it.
loadSharp().catch(() => {});
answerRequests<ImageRequest, ImageReply>('The image', async ({ bytes, imageSize, limits }) => {
  const { width, height, data, warnings } = await decodeImage(bytes, limits);
  const pixels = normalizePixels(resizeBicubic({ width, height, data }, imageSize, imageSize));
  return { reply: { pixels, width, height, warnings }, transfer: [pixels.buffer] };
});
