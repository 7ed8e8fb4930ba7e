import { fromBfloat16, fromHalf } from '../checkpoint/unpack.ts';
import { ggml } from '../ggml/library.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { AttentionKernel } from '../kernels/attention.ts';

/**
 * Receives the outputs of every block after a run, under the names of the goldens (`vision.layer.3`). Without a tap they are
 * not copied.
 */
export type Tap = (name: string, data: Float32Array) => void;

/** Receives the queries of one row in some layers. The attention to any cached key can be computed from them. */
export interface QueryTap {
  readonly layers: readonly number[];
  /** @param queries f32 [heads, headSize], after the rotary embedding */
  onQueries(layer: number, queries: Float32Array): void;
}

/** The rows of a graph whose queries are outputs, and the layers. */
export interface TappedRows {
  readonly layers: readonly number[];
  readonly first: number;
  readonly count: number;
}

export const queriesName = (layer: number) => `queries.${layer}`;

// Cached keys as numbers, from both layouts.

/** Keys of one key/value head in one layer. */
export interface KeyRange {
  layer: number;
  head: number;
  start: number;
  end: number;
}

/** From ggml's layout: rows, f32 or f16 [headSize * kvHeads, capacity]. @returns f32 [end - start, headSize] */
export function readPlainKeys(keys: Tensor, headSize: number, { head, start, end }: KeyRange): Float32Array {
  const width = keys.shape[0];
  const numbers = readNumbers(keys, start * width, (end - start) * width);
  return Float32Array.from({ length: (end - start) * headSize }, (_, i) =>
    numbers(Math.floor(i / headSize) * width + head * headSize + (i % headSize)),
  );
}

/** From the layout of the attention kernel. @returns f32 [end - start, headSize] */
export function readPackedKeys(
  keysValues: Tensor,
  kernel: AttentionKernel,
  { layer, head, start, end }: KeyRange,
): Float32Array {
  const { headSize, kvHeads } = kernel.shape;
  const [elements, blocks] = keysValues.shape;
  const ofHead = elements * blocks;
  const from = (2 * layer * kvHeads + head) * ofHead;
  const numbers = readNumbers(keysValues, from, ofHead, kernel.isBfloat16);
  return Float32Array.from({ length: (end - start) * headSize }, (_, i) =>
    numbers(kernel.keyIndex(start + Math.floor(i / headSize), i % headSize)),
  );
}

/** @returns the number at an index of the part that begins at element `first` */
function readNumbers(
  tensor: Tensor,
  first: number,
  count: number,
  isBfloat16 = false,
): (index: number) => number {
  const bytes = tensor.type === 'f32' ? 4 : 2;
  const data = tensor.type === 'f32' ? new Float32Array(count) : new Uint16Array(count);
  ggml().run('ggml_backend_tensor_get', tensor.pointer, data, first * bytes, count * bytes);
  if (data instanceof Float32Array) return (index) => data[index] ?? 0;
  if (!isBfloat16) return (index) => fromHalf(data[index] ?? 0);
  const widened = fromBfloat16(data);
  return (index) => widened[index] ?? 0;
}
