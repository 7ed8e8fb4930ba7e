import type { RgbImage } from '../image/decode.ts';
import { normalizedLevels } from '../image/resize.ts';
import { roundHalfToEven } from './sampling.ts';

/**
 * Prepares a frame for the vision tower. Unlike an image, it is normalized first, then resized so that its shorter side is `size`
 * (bilinear between two neighbours on each axis, at any ratio), then its centre is cropped.
 * Source: the published transform (pytorchvideo's ShortSideScale on normalized floats, torchvision's CenterCrop).
 * @returns [3, size, size]
 */
export function framePixels(frame: RgbImage, size: number): Float32Array<ArrayBuffer> {
  const { width, height, data } = frame;
  const isWide = width >= height;
  const longer = Math.floor((Math.max(width, height) / Math.min(width, height)) * size);
  const columns = taps(width, isWide ? longer : size, size);
  const rows = taps(height, isWide ? size : longer, size);
  const pixels = new Float32Array(3 * size * size);
  for (let channel = 0; channel < 3; channel++) {
    const levels = normalizedLevels(channel);
    const at = (x: number, y: number) => levels[data[3 * (y * width + x) + channel] ?? 0] ?? 0;
    for (const [y, row] of rows.entries()) {
      for (const [x, column] of columns.entries()) {
        const above = interpolate(at(column.first, row.first), at(column.second, row.first), column.share);
        const below = interpolate(at(column.first, row.second), at(column.second, row.second), column.share);
        pixels[(channel * size + y) * size + x] = interpolate(above, below, row.share);
      }
    }
  }
  return pixels;
}

interface Tap {
  first: number;
  second: number;
  /** Weight of `second`; that of `first` is the rest. */
  share: number;
}

/**
 * Neighbours and weights of the middle `size` samples of an axis that is resized from `from` to `to` samples. Half-pixel centres, clamped
 * at the edges: PyTorch's `interpolate` with `align_corners=False`.
 */
function taps(from: number, to: number, size: number): Tap[] {
  const offset = roundHalfToEven((to - size) / 2);
  return Array.from({ length: size }, (_, i) => {
    const source = Math.max(0, ((offset + i + 0.5) * from) / to - 0.5);
    const first = Math.min(from - 1, Math.floor(source));
    return { first, second: Math.min(from - 1, first + 1), share: source - first };
  });
}

function interpolate(first: number, second: number, share: number): number {
  return first * (1 - share) + second * share;
}
