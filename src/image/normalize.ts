import type { RgbImage } from './decode.ts';

/** CLIP's, for r, g, b. */
const MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
const STD = [0.26862954, 0.26130258, 0.27577711] as const;

/** [height, width, 3] of 0..255 to [3, height, width] of (value / 255 - mean) / std, each step rounded to float32. */
export function normalizePixels(image: RgbImage): Float32Array<ArrayBuffer> {
  const area = image.width * image.height;
  const pixels = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    const table = normalizedLevels(channel);
    const base = channel * area;
    for (let i = 0, at = channel; i < area; i++, at += 3) pixels[base + i] = table[image.data[at]!]!;
  }
  return pixels;
}

/** [256]: what each 8-bit level of a channel becomes, with torchvision's float32 steps (ToTensor, then Normalize). */
export function normalizedLevels(channel: number): Float32Array {
  const [mean, std] = [MEAN[channel]!, STD[channel]!];
  return Float32Array.from({ length: 256 }, (_, level) => {
    const centered = Math.fround(Math.fround(level / 255) - Math.fround(mean));
    return centered / Math.fround(std);
  });
}
