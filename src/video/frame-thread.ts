/** The thread that decodes and resizes frames. */
import { decodeImage, prepareDecoders, type RgbImage } from '../image/decode.ts';
import type { ImageLimits } from '../image/formats.ts';
import type { ImageReply } from '../image/image-thread.ts';
import { answerRequests } from '../image/thread.ts';
import { framePixels } from './frame-pixels.ts';

export interface FrameRequest {
  /** The bytes of an image file, or pixels from ffmpeg. */
  readonly frame: Uint8Array | RgbImage;
  /** Side of the square that the model reads, in pixels. */
  readonly size: number;
  readonly limits: Partial<ImageLimits>;
}

/** `pixels` is [3, size, size], normalized. Width and height are those before the resize. */
export type FrameReply = ImageReply;

prepareDecoders();
answerRequests<FrameRequest, FrameReply>('The frame', async ({ frame, size, limits }) => {
  const decoded = frame instanceof Uint8Array ? await decodeImage(frame, limits) : { ...frame, warnings: [] };
  const { width, height, warnings } = decoded;
  const pixels = framePixels(decoded, size);
  return { reply: { pixels, width, height, warnings }, transfer: [pixels.buffer] };
});
