/**
 * Pillow's bicubic resize for 8-bit RGB, bit-exact: a = -0.5, antialiased when shrinking, 22-bit fixed-point weights,
 * a horizontal and then a vertical pass, each rounded and clipped to 8 bit.
 *
 * The arithmetic follows Pillow's src/libImaging/Resample.c (precompute_coeffs, normalize_coeffs_8bpc and the two
 * ImagingResample*_8bpc loops). Other resamplers are not equivalent: sharp's differs by 5 to 11 levels on average when it
 * enlarges, and the model was trained with Pillow's.
 */
import type { RgbImage } from './decode.ts';

/** 32 bits, less 8 for the pixel, less 2 for overshoot: sums of weight x pixel stay inside an int32. */
const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

/** For each output position: the first input, the number of inputs, and their weights. */
interface Taps {
  /** [outSize] */
  readonly first: Int32Array;
  /** [outSize] */
  readonly count: Int32Array;
  /** [outSize, stride], fixed point; unused beyond `count`. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** Resizes `image` to `width` x `height` without keeping the aspect ratio. */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  const rowBytes = width * 3;
  const inRowBytes = image.width * 3;
  const across = bicubicTaps(image.width, width);
  const down = bicubicTaps(image.height, height);
  const out = new Uint8Array(rowBytes * height);
  // Keeps horizontally resized rows only while later output rows need them: a 1 x 1,000,000 image must not need 1,000,000 wide
  // rows. Windows only move down, so each row is computed once.
  const ringRows = Math.min(down.stride, image.height);
  const ring = new Uint8Array(rowBytes * ringRows);
  const sums = new Int32Array(rowBytes);
  let made = 0;
  for (let y = 0; y < height; y++) {
    const first = down.first[y]!;
    const end = first + down.count[y]!;
    for (made = Math.max(made, first); made < end; made++) {
      resizeRow(image.data, made * inRowBytes, across, ring, (made % ringRows) * rowBytes, width);
    }
    sums.fill(HALF);
    for (let row = first; row < end; row++) {
      const weight = down.weights[y * down.stride + row - first]!;
      const from = (row % ringRows) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i] = (sums[i]! + weight * ring[from + i]!) | 0;
    }
    const to = y * rowBytes;
    for (let i = 0; i < rowBytes; i++) out[to + i] = clip8(sums[i]!);
  }
  return { width, height, data: out };
}

/** One row, [inWidth, 3] at `from` in `source` to [width, 3] at `to` in `target`. */
function resizeRow(
  source: Uint8Array,
  from: number,
  taps: Taps,
  target: Uint8Array,
  to: number,
  width: number,
): void {
  const { first, count, weights, stride } = taps;
  for (let x = 0; x < width; x++) {
    let r = HALF;
    let g = HALF;
    let b = HALF;
    let at = from + first[x]! * 3;
    const start = x * stride;
    const end = start + count[x]!;
    for (let k = start; k < end; k++, at += 3) {
      const weight = weights[k]!;
      r = (r + weight * source[at]!) | 0;
      g = (g + weight * source[at + 1]!) | 0;
      b = (b + weight * source[at + 2]!) | 0;
    }
    const place = to + x * 3;
    target[place] = clip8(r);
    target[place + 1] = clip8(g);
    target[place + 2] = clip8(b);
  }
}

function clip8(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : Math.min(value, 255);
}

function bicubicTaps(inSize: number, outSize: number): Taps {
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1); // antialias: when shrinking, the filter covers `scale` times more input
  const support = 2 * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * stride);
  const exact = new Float64Array(stride);
  for (let place = 0; place < outSize; place++) {
    const center = (place + 0.5) * scale;
    // Pillow's (int) casts truncate toward zero, and its bounds are clamped after the cast.
    const low = Math.max(Math.trunc(center - support + 0.5), 0);
    const taps = Math.min(Math.trunc(center + support + 0.5), inSize) - low;
    let total = 0;
    for (let k = 0; k < taps; k++) {
      exact[k] = bicubic((k + low - center + 0.5) * (1 / stretch));
      total += exact[k]!;
    }
    for (let k = 0; k < taps; k++) {
      const weight = (total === 0 ? exact[k]! : exact[k]! / total) * (1 << PRECISION_BITS);
      weights[place * stride + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[place] = low;
    count[place] = taps;
  }
  return { first, count, weights, stride };
}

/** Keys' cubic with a = -0.5, in Pillow's order of operations, which determines the last bits. */
function bicubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** CLIP's mean and standard deviation of r, g, b. */
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

/** [256]: the normalized value of each 8-bit level, with torchvision's float32 steps (ToTensor, then Normalize). */
export function normalizedLevels(channel: number): Float32Array {
  const [mean, std] = [MEAN[channel]!, STD[channel]!];
  return Float32Array.from({ length: 256 }, (_, level) => {
    const centered = Math.fround(Math.fround(level / 255) - Math.fround(mean));
    return centered / Math.fround(std);
  });
}
