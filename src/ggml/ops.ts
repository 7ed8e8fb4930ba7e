import { CogVLM2Error } from '../errors.ts';
import { floatProduct, multipliesStored, words } from '../kernels/float-matmul.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { product, quantize } from '../kernels/matmul.ts';
import type { Context } from './context.ts';
import type { FunctionName, Pointer } from './declarations.ts';
import { type DType, dtypes, isFloat } from './dtype.ts';
import { ggml, type NativeValue } from './library.ts';
import type { PackedWeights } from './packed-weights.ts';
import {
  contiguousStrides,
  describe,
  elementCount,
  isContiguous,
  type Shape,
  type Tensor,
  toShape,
} from './tensor.ts';

/** What is added to the product of a weight and x: `product.b (product.a x) + bias`. */
export interface LowRankTerm {
  /** a [in, r] and b [r, out], both f32 */
  product: { a: Tensor; b: Tensor } | null;
  /** f32 [out] */
  bias: Tensor | null;
}

/** By the weight that they change. */
export type LowRankTerms = ReadonlyMap<Tensor, LowRankTerm>;

/**
 * The operations that the model is written in. Each adds a node to the context; nothing is computed yet. Shapes
 * are ggml's: fastest axis first. Every op throws `engine_bug` with the shapes where ggml would abort the process.
 */
export class Ops {
  protected readonly context: Context;
  /** Our kernels; null: ggml's. */
  readonly #kernels: Kernels | null;
  readonly #packed: PackedWeights | undefined;
  readonly #lowRank: LowRankTerms | undefined;
  /** What the products of a tensor read instead of it. */
  readonly #quantizedBy = new Map<Tensor, Tensor>();
  readonly #wordsOf = new Map<Tensor, Tensor>();

  /**
   * @param packed weights to multiply with instead of those that they are copies of
   * @param lowRank what `linear` adds to its products
   */
  constructor(context: Context, kernels: Kernels | null, packed?: PackedWeights, lowRank?: LowRankTerms) {
    this.context = context;
    this.#kernels = kernels;
    this.#packed = packed;
    this.#lowRank = lowRank;
  }

  /** a + b, with b repeated along any axis that it divides. */
  add(a: Tensor, b: Tensor): Tensor {
    checkBroadcast('add', a, b);
    return this.#node('ggml_add', 'f32', a.shape, a.pointer, b.pointer);
  }

  /** a * b element by element, with b repeated along any axis that it divides. */
  mul(a: Tensor, b: Tensor): Tensor {
    checkBroadcast('mul', a, b);
    return this.#node('ggml_mul', 'f32', a.shape, a.pointer, b.pointer);
  }

  /** weight [k, m] times x [k, n, ...] -> [m, n, ...]: PyTorch's `linear` without a bias. */
  mulMat(weight: Tensor, x: Tensor): Tensor {
    const [k, m, w2, w3] = weight.shape;
    const [, n, x2, x3] = x.shape;
    check(
      k === x.shape[0] &&
        x2 % w2 === 0 &&
        x3 % w3 === 0 &&
        isReal(weight) &&
        x.type === 'f32' &&
        hasWholeRows(x),
      'mulMat',
      weight,
      x,
    );
    const packed = this.#packed?.get(weight) ?? weight;
    const ours = this.#kernels;
    if (ours && packed.type === 'i8')
      return product(
        this,
        ours,
        weight,
        packed,
        x,
        once(this.#quantizedBy, x, () => quantize(this, ours, x)),
      );
    if (ours && multipliesStored(weight))
      return floatProduct(
        this,
        ours,
        weight,
        x,
        once(this.#wordsOf, x, () => words(this, ours, x)),
      );
    return this.#node('ggml_mul_mat', 'f32', [m, n, x2, x3], packed.pointer, x.pointer);
  }

  /** `mulMat`, with the weight's low-rank term where there is one. x is [k, n]. */
  linear(weight: Tensor, x: Tensor): Tensor {
    const { product = null, bias = null } = this.#lowRank?.get(weight) ?? {};
    let y = this.mulMat(weight, x);
    if (product) {
      // ggml multiplies a single row of floats with a kernel that rounds differently, and a row must not depend on its batch.
      const low = this.mulMat(product.b, this.mulMat(product.a, this.padRows(x, 2)));
      y = this.add(y, this.rows(low, 0, x.shape[1]));
    }
    return bias ? this.add(y, bias) : y;
  }

  /** (x - mean) / sqrt(variance + eps) over each row. */
  norm(x: Tensor, eps: number): Tensor {
    check(x.type === 'f32' && hasWholeRows(x), 'norm', x);
    return this.#node('ggml_norm', 'f32', x.shape, x.pointer, eps);
  }

  /** x / sqrt(mean(x^2) + eps) over each row. */
  rmsNorm(x: Tensor, eps: number): Tensor {
    check(x.type === 'f32' && hasWholeRows(x), 'rmsNorm', x);
    return this.#node('ggml_rms_norm', 'f32', x.shape, x.pointer, eps);
  }

  /** The exact GELU, with the error function. */
  gelu(x: Tensor): Tensor {
    check(x.type === 'f32' && isContiguous(x), 'gelu', x);
    return this.#node('ggml_gelu_erf', 'f32', x.shape, x.pointer);
  }

  /**
   * GELU of what a product with weights of this type reads, as exact as that product: for float32 the error function; else our
   * kernel, within 1e-6 of it. Without our kernels ggml's tanh form for quantized weights, from a table of float16 values
   * (within 1e-3): its error function would take a tenth of the tower's time.
   */
  geluBefore(type: DType, x: Tensor): Tensor {
    check(x.type === 'f32' && isContiguous(x), 'geluBefore', x);
    if (this.#kernels && type !== 'f32')
      return this.custom(this.#kernels.address('gelu'), 'f32', x.shape, [x]);
    return isFloat(type) ? this.gelu(x) : this.#node('ggml_gelu', 'f32', x.shape, x.pointer);
  }

  /** silu(gate) * up. */
  swiglu(gate: Tensor, up: Tensor): Tensor {
    const same = gate.shape.every((size, axis) => size === up.shape[axis]);
    check(
      same && gate.type === 'f32' && up.type === 'f32' && isContiguous(gate) && isContiguous(up),
      'swiglu',
      gate,
      up,
    );
    return this.#node('ggml_swiglu_split', 'f32', gate.shape, gate.pointer, up.pointer);
  }

  /** Rows of table [d, rows] by index i32 [n] -> f32 [d, n]. The caller vouches for the indices. */
  getRows(table: Tensor, rows: Tensor): Tensor {
    const flat = table.shape[2] * table.shape[3] * rows.shape[1] * rows.shape[2] * rows.shape[3] === 1;
    check(flat && rows.type === 'i32' && isReal(table), 'getRows', table, rows);
    return this.#node(
      'ggml_get_rows',
      'f32',
      [table.shape[0], rows.shape[0], 1, 1],
      table.pointer,
      rows.pointer,
    );
  }

  /** Writes the rows of f32 x [d, n] into those of f32 or f16 `to` [d, rows] that i64 `at` [n] names. The caller vouches for the indices. */
  setRows(to: Tensor, x: Tensor, at: Tensor): Tensor {
    const isMatrix = [...to.shape.slice(2), ...x.shape.slice(2)].every((size) => size === 1);
    const fits = x.shape[0] === to.shape[0] && at.shape[0] === x.shape[1] && isMatrix;
    const typed = (to.type === 'f32' || to.type === 'f16') && x.type === 'f32' && at.type === 'i64';
    check(fits && typed && hasWholeRows(x) && hasWholeRows(to), 'setRows', to, x, at);
    const pointer = ggml().pointer('ggml_set_rows', this.context.pointer, to.pointer, x.pointer, at.pointer);
    return { ...to, pointer };
  }

  /** Copies into the memory of `to`, converting the type. Returns `to` as written. */
  copy(from: Tensor, to: Tensor): Tensor {
    check(elementCount(from.shape) === elementCount(to.shape), 'copy', from, to);
    const pointer = ggml().pointer('ggml_cpy', this.context.pointer, from.pointer, to.pointer);
    return { ...to, pointer };
  }

  cast(x: Tensor, type: DType): Tensor {
    check(dtypes[type].block === 1, 'cast', x);
    return this.#node('ggml_cast', type, x.shape, x.pointer, dtypes[type].id);
  }

  contiguous(x: Tensor): Tensor {
    return isContiguous(x) ? x : this.#node('ggml_cont', x.type, x.shape, x.pointer);
  }

  /** The rows of a [d, n], then those of b [d, m] -> [d, n + m]. */
  concatRows(a: Tensor, b: Tensor): Tensor {
    const [d, n, ...rest] = a.shape;
    check(
      b.shape[0] === d && a.type === b.type && [...rest, ...b.shape.slice(2)].every((size) => size === 1),
      'concatRows',
      a,
      b,
    );
    return this.#node('ggml_concat', a.type, [d, n + b.shape[1], 1, 1], a.pointer, b.pointer, 1);
  }

  reshape(x: Tensor, ...sizes: number[]): Tensor {
    const shape = toShape(sizes, x.type);
    check(
      isContiguous(x) && elementCount(shape) === elementCount(x.shape),
      `reshape to [${sizes.join(', ')}]`,
      x,
    );
    return this.#node('ggml_reshape_4d', x.type, shape, x.pointer, ...shape);
  }

  /** A window onto x: same memory, other sizes. Strides (of axes 1 to 3) and offset in bytes. */
  view(
    x: Tensor,
    sizes: readonly number[],
    strides: readonly [number, number, number],
    offset: number,
  ): Tensor {
    const shape = toShape(sizes, x.type);
    const own: Shape = [dtypes[x.type].bytes, ...strides];
    // The last byte reached, against the bytes that x spans.
    check(
      offset >= 0 && offset + spanBytes(x.type, shape, own) <= spanBytes(x.type, x.shape, x.strides),
      'view',
      x,
    );
    const pointer = ggml().pointer(
      'ggml_view_4d',
      this.context.pointer,
      x.pointer,
      ...shape,
      ...strides,
      offset,
    );
    return { pointer, type: x.type, shape, strides: own };
  }

  /** Rows [start, start + count), axis 1, of x. */
  rows(x: Tensor, start: number, count: number): Tensor {
    const [, row, slice, cube] = x.strides;
    return this.view(x, [x.shape[0], count, x.shape[2], x.shape[3]], [row, slice, cube], start * row);
  }

  /** Slices [start, start + count), axis 2, of x. */
  slices(x: Tensor, start: number, count: number): Tensor {
    const [, row, slice, cube] = x.strides;
    return this.view(x, [x.shape[0], x.shape[1], count], [row, slice, cube], start * slice);
  }

  /** x [d, rows] with its last row repeated until there are n. */
  padRows(x: Tensor, n: number): Tensor {
    if (x.shape[1] >= n) return x;
    const last = this.rows(x, x.shape[1] - 1, 1);
    return this.padRows(this.concatRows(x, last), n);
  }

  /** x [width, n], whose rows are heads one after the other -> that many heads of each count: [headSize, count, n]. */
  splitHeads(x: Tensor, headSize: number, counts: [number, number, number]): [Tensor, Tensor, Tensor] {
    const [, row, slice] = x.strides;
    const head = headSize * dtypes[x.type].bytes;
    const part = (first: number, count: number) =>
      this.view(x, [headSize, count, x.shape[1]], [head, row, slice], first * head);
    const [a, b, c] = counts;
    return [part(0, a), part(a, b), part(a + b, c)];
  }

  /** Axis i of x becomes axis axes[i]. Same memory. */
  permute(x: Tensor, ...axes: [number, number, number, number]): Tensor {
    check(
      [0, 1, 2, 3].every((axis) => axes.includes(axis)),
      `permute by [${axes.join(', ')}]`,
      x,
    );
    const moved = (from: Shape): Shape => {
      const to: [number, number, number, number] = [0, 0, 0, 0];
      axes.forEach((target, axis) => {
        to[target] = from[axis] ?? 1;
      });
      return to;
    };
    const pointer = ggml().pointer('ggml_permute', this.context.pointer, x.pointer, ...axes);
    return { pointer, type: x.type, shape: moved(x.shape), strides: moved(x.strides) };
  }

  /**
   * Half-split (NeoX) rotary embedding of x [d, heads, n] at positions i32 [n]. The angle of pair i is
   * position * base^(-2i/d) / factors[i].
   */
  rope(x: Tensor, positions: Tensor, factors: Tensor, base: number): Tensor {
    const d = x.shape[0];
    check(
      hasWholeRows(x) && positions.type === 'i32' && positions.shape[0] === x.shape[2] && d % 2 === 0,
      'rope',
      x,
      positions,
    );
    check(x.type === 'f32' && factors.type === 'f32' && factors.shape[0] === d / 2, 'rope', x, factors);
    const neox = 2;
    const { pointer } = factors;
    return this.#node(
      'ggml_rope_ext',
      'f32',
      x.shape,
      x.pointer,
      positions.pointer,
      pointer,
      d,
      neox,
      0,
      base,
      1,
      0,
      1,
      0,
      0,
    );
  }

  /**
   * softmax(scale * q k^T + mask) v. q [d, n, heads], k and v [d, keys, kvHeads] (grouped heads are consecutive),
   * mask f16 [keys, n] or null -> [d, heads, n], contiguous.
   */
  attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | null, scale: number): Tensor {
    const [d, n, heads, batch] = q.shape;
    check(
      q.type === 'f32' &&
        k.shape[0] === d &&
        heads % k.shape[2] === 0 &&
        k.shape[3] === batch &&
        hasWholeRows(q),
      'attention',
      q,
      k,
    );
    check(k.shape.every((size, axis) => size === v.shape[axis]) && isReal(k) && isReal(v), 'attention', k, v);
    if (mask) {
      const fits =
        mask.type === 'f16' && mask.shape[0] === k.shape[1] && mask.shape[1] === n && isContiguous(mask);
      check(fits, 'attention', q, k, mask);
    }
    const node = this.#node(
      'ggml_flash_attn_ext',
      'f32',
      [d, heads, n, batch],
      q.pointer,
      k.pointer,
      v.pointer,
      mask?.pointer ?? null,
      scale,
      0,
      0,
    );
    const f32Precision = 10;
    ggml().run('ggml_flash_attn_ext_set_prec', node.pointer, f32Precision);
    return node;
  }

  /**
   * A node that calls a native function on every thread of the CPU's pool: `void fun(struct ggml_tensor *dst, int thread,
   * int threads, void *user)`. The function trusts what it gets, so the caller checks types, shapes and strides before.
   */
  custom(fun: Pointer, type: DType, sizes: readonly number[], sources: readonly Tensor[], user = 0n): Tensor {
    const shape = toShape(sizes, type);
    const pointers = sources.map(({ pointer }) => pointer);
    const allThreads = -1;
    const { id } = dtypes[type];
    return this.#node(
      'ggml_custom_4d',
      type,
      shape,
      id,
      ...shape,
      pointers,
      pointers.length,
      fun,
      allThreads,
      user,
    );
  }

  #node(name: FunctionName, type: DType, shape: Shape, ...args: NativeValue[]): Tensor {
    const pointer = ggml().pointer(name, this.context.pointer, ...args);
    return { pointer, type, shape, strides: contiguousStrides(type, shape) };
  }
}

/** What `made` returned for a tensor, which is made once. */
function once(known: Map<Tensor, Tensor>, x: Tensor, make: () => Tensor): Tensor {
  const made = known.get(x) ?? make();
  known.set(x, made);
  return made;
}

function check(right: boolean, op: string, ...tensors: Tensor[]): asserts right {
  if (!right)
    throw new CogVLM2Error('engine_bug', `${op} does not fit ${tensors.map(describe).join(' and ')}.`);
}

function checkBroadcast(op: string, a: Tensor, b: Tensor): void {
  const divides = a.shape.every((size, axis) => size % (b.shape[axis] ?? 1) === 0);
  check(divides && a.type === 'f32' && b.type === 'f32' && hasWholeRows(a) && hasWholeRows(b), op, a, b);
}

/** Whether the elements of a row are next to each other. */
function hasWholeRows(x: Tensor): boolean {
  return x.strides[0] === dtypes[x.type].bytes;
}

/** Whole rows of numbers that ggml multiplies: not of integers. */
function isReal(x: Tensor): boolean {
  return hasWholeRows(x) && !['i8', 'i32', 'i64'].includes(x.type);
}

function spanBytes(type: DType, shape: Shape, strides: Shape): number {
  const row = (shape[0] / dtypes[type].block) * strides[0];
  return row + (shape[1] - 1) * strides[1] + (shape[2] - 1) * strides[2] + (shape[3] - 1) * strides[3];
}
