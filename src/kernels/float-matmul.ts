import { CogVLM2Error } from '../errors.ts';
import { describe, type Tensor } from '../ggml/tensor.ts';
import type { GraphBuilder, Kernels } from './kernels.ts';
import { hasFloatRows, type Matrix } from './matmul.ts';
import { vectorLayouts } from './variants.ts';

/** Number of rows after the last one that tiles may read. */
const rowsBehind = 32;

/** True if the kernels multiply this weight of 16 bits without packing it. */
export function multipliesStored({ type, shape }: Matrix): boolean {
  const [k, , ...others] = shape;
  return (type === 'bf16' || type === 'f16') && k % 32 === 0 && others.every((size) => size === 1);
}

/** Bytes of `rows` rows of k activations (c/float-words.h): pairs of bf16 if the variant has bf16 products, else f32. */
export function wordsBytes({ variant }: Kernels, k: number, rows: number): number {
  const { pair } = vectorLayouts[variant];
  const words = 64 * pair;
  const parts = Math.ceil(k / (words * pair));
  return 64 + (parts * rows + rowsBehind) * words * 4;
}

/** Adds a node that converts f32 x [k, ...] to words, for all products of x and weights of 16 bits. */
export function words(ops: Pick<GraphBuilder, 'custom'>, kernels: Kernels, x: Tensor): Tensor {
  const [k, ...axes] = x.shape;
  if (!hasFloatRows(x) || k % 32 !== 0)
    throw new CogVLM2Error('engine_bug', `words does not fit ${describe(x)}.`);
  const rows = axes.reduce((a, b) => a * b);
  return ops.custom(kernels.address('words'), 'i8', [wordsBytes(kernels, k, rows)], [x]);
}

/**
 * weight [k, columns] times x [k, n, ...] -> [columns, n, ...]. The result of a row does not depend on other rows or on the
 * number of threads.
 * @param xWords x as words
 */
export function floatProduct(
  ops: Pick<GraphBuilder, 'custom'>,
  kernels: Kernels,
  weight: Tensor,
  x: Tensor,
  xWords: Tensor,
): Tensor {
  const [k, columns] = weight.shape;
  const [, rows, ...axes] = x.shape;
  const count = rows * axes[0] * axes[1];
  const fits =
    multipliesStored(weight) &&
    weight.strides[0] === 2 &&
    x.shape[0] === k &&
    xWords.type === 'i8' &&
    xWords.shape[0] === wordsBytes(kernels, k, count);
  if (!fits)
    throw new CogVLM2Error('engine_bug', `floatProduct does not fit ${describe(weight)} and ${describe(x)}.`);
  return ops.custom(kernels.address('matmul_words'), 'f32', [columns, rows, ...axes], [weight, xWords]);
}
