/**
 * A picture as the vision tower reads it: decoded, resized to a square without keeping the aspect ratio, and normalised
 * with CLIP's mean and deviation.
 */
import { createHash } from 'node:crypto';
import { CogVLM2Error } from '../errors.ts';
import { decodeImage, type RgbImage } from './decode.ts';
import type { ImageLimits } from './limits.ts';
import { resizeBicubic } from './resize.ts';
import type { ImageFormat } from './sniff.ts';
import { type ImageSource, readImageSource, throwIfAborted } from './source.ts';

/** CLIP's, for r, g, b. */
const MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
const STD = [0.26862954, 0.26130258, 0.27577711] as const;

export interface PreprocessedImage {
  /** [3, imageSize, imageSize]: channels first, normalised. */
  readonly pixels: Float32Array;
  /** Of the picture before it was resized, upright. */
  readonly width: number;
  readonly height: number;
  readonly format: ImageFormat;
  /** Of the encoded bytes, in hexadecimal: the key for caches of image tokens. */
  readonly sha256: string;
}

export interface PreprocessOptions {
  readonly limits?: Partial<ImageLimits>;
  readonly signal?: AbortSignal;
}

/**
 * Reads, decodes, resizes and normalises one picture.
 * @param imageSize side of the square that the model reads, in pixels (1344 for the published checkpoints)
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
  const { signal, limits = {} } = options;
  const bytes = await readImageSource(source, { ...limits, ...(signal && { signal }) });
  const image = await decodeImage(bytes, limits);
  throwIfAborted(signal);
  const { width, height, format } = image;
  const pixels = normalizePixels(resizeBicubic(image, imageSize, imageSize));
  return { pixels, width, height, format, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** [height, width, 3] of 0..255 to [3, height, width] of (value / 255 - mean) / std, each step rounded to float32. */
export function normalizePixels(image: RgbImage): Float32Array {
  const area = image.width * image.height;
  const pixels = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    const table = normalizedLevels(MEAN[channel]!, STD[channel]!);
    const base = channel * area;
    for (let i = 0, at = channel; i < area; i++, at += 3) pixels[base + i] = table[image.data[at]!]!;
  }
  return pixels;
}

/** [256]: what each 8-bit level becomes, with torchvision's float32 steps (ToTensor, then Normalize). */
function normalizedLevels(mean: number, std: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, level) => {
    const centered = Math.fround(Math.fround(level / 255) - Math.fround(mean));
    return centered / Math.fround(std);
  });
}
