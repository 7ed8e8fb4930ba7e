import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from '../ggml/declarations.ts';
import { type DType, dtypes, rowBytes } from '../ggml/dtype.ts';
import { ggml } from '../ggml/library.ts';
import { describe, type Tensor } from '../ggml/tensor.ts';
import type { GraphBuilder, Kernels } from './kernels.ts';

/** A weight matrix [k, columns]: a tensor, or only its type and shape. */
export type Matrix = Pick<Tensor, 'type' | 'shape'>;

/**
 * The packed format of a weight (c/packed.h). `nibbles` keeps the 4-bit values and the size of the file. `bytes` rounds each 256
 * weights of a column to 8 bits with one scale. It is for types that are not 4-bit types, and for many rows, where it is faster.
 */
export type Format = 'nibbles' | 'bytes';

/** The use of a packed weight: also single rows, which are limited by memory, or always many rows. */
export type Use = 'any rows' | 'many rows';

/** ggml's functions that convert stored rows to floats: `void (const void *from, float *to, int64_t count)`. */
export const dequantizers: Partial<Record<DType, string>> = {
  q4_0: 'dequantize_row_q4_0',
  q8_0: 'dequantize_row_q8_0',
  q4_k: 'dequantize_row_q4_K',
  q5_k: 'dequantize_row_q5_K',
  q6_k: 'dequantize_row_q6_K',
  iq4_nl: 'dequantize_row_iq4_nl',
};
const panelColumns = 64;
const groupSize = 256;
const blockSize = 32;
const headerBytes = 64;

/** The format in which the kernels pack a weight; null if ggml multiplies it without packing. */
export function formatOf({ variant }: Kernels, { type, shape }: Matrix, use: Use): Format | null {
  const [k, columns, ...others] = shape;
  if (
    !dequantizers[type] ||
    k % blockSize !== 0 ||
    k * columns > 2 ** 40 ||
    others.some((size) => size !== 1)
  )
    return null;
  const hasNibbles = type === 'q4_0' || type === 'q4_k' || type === 'iq4_nl';
  if (!hasNibbles) return 'bytes';
  // AVX2 adds products of values up to 15 in 16 bits, which is twice as fast as products of bytes.
  const fastNibbles = variant === 'avx2' && type !== 'iq4_nl';
  return use === 'any rows' || fastNibbles ? 'nibbles' : 'bytes';
}

/** Bytes of a packed weight: the header, and panel_bytes of c/packed.h for every panel. */
export function packedBytes({ type, shape: [k, columns] }: Matrix, format: Format): number {
  const padded = Math.ceil(k / 64) * 64;
  // Scales of blocks and groups, and the same number of minimums.
  const scales = (padded / blockSize + 2 * groupsOf(k)) * (type === 'q4_k' ? 2 : 1) * panelColumns;
  const panel =
    format === 'bytes'
      ? padded * panelColumns + groupsOf(k) * panelColumns * 4
      : (padded / 2) * panelColumns + scales;
  return headerBytes + Math.ceil(columns / panelColumns) * panel;
}

/** Packs the weight with its rows at `from` into `packedBytes` bytes at `to`, on a thread of libuv's pool. */
export async function packWeight(
  kernels: Kernels,
  { type, shape: [k, columns] }: Matrix,
  format: Format,
  from: Pointer,
  to: Pointer,
): Promise<void> {
  const row = rowBytes(type, k);
  const name = dequantizers[type];
  if (format === 'nibbles') await kernels.packNibbles(from, row, k, columns, dtypes[type].id, to);
  else await kernels.packBytes(from, row, k, columns, name ? ggml().symbol(name) : null, to);
}

/** Bytes of `rows` rows of k activations in the layout of c/activations.h. */
export function quantizedBytes(k: number, rows: number): number {
  const perGroup = groupSize + 4 + 4 + (groupSize / blockSize) * 2;
  return 64 + groupsOf(k) * rows * perGroup;
}

/** True if x is f32 and its rows are arrays of floats. */
export function hasFloatRows({ type, strides }: Tensor): boolean {
  return type === 'f32' && strides[0] === 4 && strides.every((stride) => stride % 4 === 0);
}

/** Adds a node that rounds f32 x [k, ...] to bytes, for all products of x and packed weights. */
export function quantize(ops: Pick<GraphBuilder, 'custom'>, kernels: Kernels, x: Tensor): Tensor {
  const [k, ...axes] = x.shape;
  if (!hasFloatRows(x)) throw new CogVLM2Error('engine_bug', `quantize does not fit ${describe(x)}.`);
  const rows = axes.reduce((a, b) => a * b);
  return ops.custom(kernels.address('quantize'), 'i8', [quantizedBytes(k, rows)], [x]);
}

/**
 * weight [k, columns] times x [k, n, ...] -> [columns, n, ...]. The result of a row does not depend on other rows or on the
 * number of threads.
 * @param packed the packed copy of the weight
 * @param quantized x as bytes
 */
export function product(
  ops: Pick<GraphBuilder, 'custom'>,
  kernels: Kernels,
  weight: Tensor,
  packed: Tensor,
  x: Tensor,
  quantized: Tensor,
): Tensor {
  const [k, columns] = weight.shape;
  const [rows, ...axes] = [x.shape[1], x.shape[2], x.shape[3]];
  const count = rows * axes[0]! * axes[1]!;
  const fits =
    x.shape[0] === k &&
    [quantized, packed].every(({ type }) => type === 'i8') &&
    quantized.shape[0] === quantizedBytes(k, count);
  if (!fits || packed.shape[0] < columns * (k / 2))
    throw new CogVLM2Error('engine_bug', `product does not fit ${describe(weight)} and ${describe(x)}.`);
  const sizes = [columns, rows, ...axes];
  return ops.custom(kernels.address('matmul'), 'f32', sizes, [packed, quantized], BigInt(k));
}

function groupsOf(k: number): number {
  return Math.ceil(k / groupSize);
}
