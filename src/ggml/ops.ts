import { floatProduct, multipliesStored, words } from '../kernels/float-matmul.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { product, quantize } from '../kernels/matmul.ts';
import { type DType, isFloat } from './dtype.ts';
import { ggml } from './library.ts';
import type { PackedWeights } from './packed-weights.ts';
import { check, hasWholeRows, ShapeOps } from './shape-ops.ts';
import { type Context, isContiguous, type Tensor } from './tensor.ts';

/** The term of an adapter: `product.b (product.a x) + bias`, added to the product of a weight and x. */
export interface LowRankTerm {
  /** a [in, r] and b [r, out], both f32 */
  product: { a: Tensor; b: Tensor } | null;
  /** f32 [out] */
  bias: Tensor | null;
}

/** By the weight that they change. */
export type LowRankTerms = ReadonlyMap<Tensor, LowRankTerm>;

/**
 * The operations of the model. Each adds a node to the context; nothing is computed yet. Every operation throws `engine_bug`
 * with the shapes if ggml would abort the process.
 */
export class Ops extends ShapeOps {
  /** Our kernels; null: ggml's. */
  readonly #kernels: Kernels | null;
  readonly #packed: PackedWeights | undefined;
  readonly #lowRank: LowRankTerms | undefined;
  /** The activations in the kernels' formats (bytes and words), shared by all products of the same tensor. */
  readonly #quantizedBy = new Map<Tensor, Tensor>();
  readonly #wordsOf = new Map<Tensor, Tensor>();

  /**
   * @param packed packed copies that replace weights in products
   * @param lowRank terms that `linear` adds to its products
   */
  constructor(context: Context, kernels: Kernels | null, packed?: PackedWeights, lowRank?: LowRankTerms) {
    super(context);
    this.#kernels = kernels;
    this.#packed = packed;
    this.#lowRank = lowRank;
  }

  /** a + b, with b repeated along any axis that it divides. */
  add(a: Tensor, b: Tensor): Tensor {
    checkBroadcast('add', a, b);
    return this.node('ggml_add', 'f32', a.shape, a.pointer, b.pointer);
  }

  /** a * b element by element, with b repeated along any axis that it divides. */
  mul(a: Tensor, b: Tensor): Tensor {
    checkBroadcast('mul', a, b);
    return this.node('ggml_mul', 'f32', a.shape, a.pointer, b.pointer);
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
    return this.node('ggml_mul_mat', 'f32', [m, n, x2, x3], packed.pointer, x.pointer);
  }

  /** `mulMat`, plus the weight's low-rank term if there is one. x is [k, n]. */
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
    return this.node('ggml_norm', 'f32', x.shape, x.pointer, eps);
  }

  /** x / sqrt(mean(x^2) + eps) over each row. */
  rmsNorm(x: Tensor, eps: number): Tensor {
    check(x.type === 'f32' && hasWholeRows(x), 'rmsNorm', x);
    return this.node('ggml_rms_norm', 'f32', x.shape, x.pointer, eps);
  }

  /** The exact GELU, with the error function. */
  gelu(x: Tensor): Tensor {
    check(x.type === 'f32' && isContiguous(x), 'gelu', x);
    return this.node('ggml_gelu_erf', 'f32', x.shape, x.pointer);
  }

  /**
   * GELU of x + bias before a product with weights of this type, as exact as the product needs. For float32: the error function.
   * For other types: our kernel, within 1e-6 of it, in one node with the bias. Without our kernels, quantized weights get ggml's
   * tanh form from a table of float16 values (within 1e-3), because ggml's error function would take a tenth of the tower's time.
   * @param x f32 [width, n]
   * @param bias f32 [width]
   */
  geluBefore(type: DType, x: Tensor, bias: Tensor): Tensor {
    checkBroadcast('geluBefore', x, bias);
    const fits = bias.shape[0] === x.shape[0] && bias.shape.slice(1).every((size) => size === 1);
    check(fits && isContiguous(x) && isContiguous(bias), 'geluBefore', x, bias);
    if (this.#kernels && type !== 'f32')
      return this.custom(this.#kernels.address('gelu'), 'f32', x.shape, [x, bias]);
    const biased = this.add(x, bias);
    return isFloat(type) ? this.gelu(biased) : this.node('ggml_gelu', 'f32', x.shape, biased.pointer);
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
    return this.node('ggml_swiglu_split', 'f32', gate.shape, gate.pointer, up.pointer);
  }

  /** Rows of table [d, rows] by index i32 [n] -> f32 [d, n]. The indices are not checked. */
  getRows(table: Tensor, rows: Tensor): Tensor {
    const flat = table.shape[2] * table.shape[3] * rows.shape[1] * rows.shape[2] * rows.shape[3] === 1;
    check(flat && rows.type === 'i32' && isReal(table), 'getRows', table, rows);
    return this.node(
      'ggml_get_rows',
      'f32',
      [table.shape[0], rows.shape[0], 1, 1],
      table.pointer,
      rows.pointer,
    );
  }

  /** Writes the rows of f32 x [d, n] into the rows `at` (i64 [n], not checked) of f32 or f16 `to` [d, rows]. */
  setRows(to: Tensor, x: Tensor, at: Tensor): Tensor {
    const isMatrix = [...to.shape.slice(2), ...x.shape.slice(2)].every((size) => size === 1);
    const fits = x.shape[0] === to.shape[0] && at.shape[0] === x.shape[1] && isMatrix;
    const typed = (to.type === 'f32' || to.type === 'f16') && x.type === 'f32' && at.type === 'i64';
    check(fits && typed && hasWholeRows(x) && hasWholeRows(to), 'setRows', to, x, at);
    const pointer = ggml().pointer('ggml_set_rows', this.context.pointer, to.pointer, x.pointer, at.pointer);
    return { ...to, pointer };
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
    return this.node(
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
    const node = this.node(
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
}

/** The node for x. `make` is called for the first product of x only. */
function once(known: Map<Tensor, Tensor>, x: Tensor, make: () => Tensor): Tensor {
  const made = known.get(x) ?? make();
  known.set(x, made);
  return made;
}

function checkBroadcast(op: string, a: Tensor, b: Tensor): void {
  const divides = a.shape.every((size, axis) => size % (b.shape[axis] ?? 1) === 0);
  check(divides && a.type === 'f32' && b.type === 'f32' && hasWholeRows(a) && hasWholeRows(b), op, a, b);
}

/** Whole rows of numbers that ggml multiplies: not of integers. */
function isReal(x: Tensor): boolean {
  return hasWholeRows(x) && !['i8', 'i32', 'i64'].includes(x.type);
}
