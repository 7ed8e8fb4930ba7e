/** The thread that decodes and resizes images. */
import { decodeImage, prepareDecoders } from './decode.ts';
import type { ImageLimits } from './formats.ts';
import { normalizePixels, resizeBicubic } from './resize.ts';
import { answerRequests } from './thread.ts';

export interface ImageRequest {
  readonly bytes: Uint8Array;
  /** Side of the model's input square, in pixels. */
  readonly imageSize: number;
  readonly limits: ImageLimits;
}

export interface ImageReply {
  /** [3, imageSize, imageSize], normalized. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** Size of the upright image before it was resized. */
  readonly width: number;
  readonly height: number;
  readonly warnings: readonly string[];
}

prepareDecoders();
answerRequests<ImageRequest, ImageReply>('The image', async ({ bytes, imageSize, limits }) => {
  const { width, height, data, warnings } = await decodeImage(bytes, limits);
  const pixels = normalizePixels(resizeBicubic({ width, height, data }, imageSize, imageSize));
  return { reply: { pixels, width, height, warnings }, transfer: [pixels.buffer] };
});
