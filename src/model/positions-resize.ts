/**
 * Interpolates the position table for another number of patches. Bicubic with the filter widened by the ratio (antialiased), as in
 * Pillow and PyTorch's `interpolate(mode='bicubic', antialias=True)`. ViT code commonly does this. At a ratio of two, a
 * plain bilinear filter would ignore half of the table.
 * @param table [1 + from * from, width], the class token's row first; that row is kept
 * @returns [1 + to * to, width]
 */
export function resizePositions(table: Float32Array, width: number, from: number, to: number): Float32Array {
  const taps = filterTaps(from, to);
  const grid = table.subarray(width);
  const rows = new Float32Array(to * from * width); // [to, from, width]
  for (const [y, { first, weights }] of taps.entries()) {
    for (const [i, weight] of weights.entries()) {
      addScaled(rows, y * from * width, grid, (first + i) * from * width, from * width, weight);
    }
  }
  const resized = new Float32Array((1 + to * to) * width);
  resized.set(table.subarray(0, width));
  for (let y = 0; y < to; y++) {
    for (const [x, { first, weights }] of taps.entries()) {
      for (const [i, weight] of weights.entries()) {
        const source = (y * from + first + i) * width;
        addScaled(resized, (1 + y * to + x) * width, rows, source, width, weight);
      }
    }
  }
  return resized;
}

interface Taps {
  first: number;
  /** They sum to one. */
  weights: number[];
}

/** The `from` samples, with their weights, that each of the `to` samples is computed from. */
function filterTaps(from: number, to: number): Taps[] {
  const scale = Math.max(1, from / to);
  return Array.from({ length: to }, (_, i) => {
    const center = ((i + 0.5) * from) / to;
    const first = Math.max(0, Math.floor(center - 2 * scale + 0.5));
    const end = Math.min(from, Math.floor(center + 2 * scale + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) => cubic((first + k + 0.5 - center) / scale));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}

/** Keys 1981 with a = -0.5. */
function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

function addScaled(
  to: Float32Array,
  toAt: number,
  from: Float32Array,
  fromAt: number,
  count: number,
  factor: number,
): void {
  for (let i = 0; i < count; i++) to[toAt + i]! += from[fromAt + i]! * factor;
}
