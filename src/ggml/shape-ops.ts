import { CogVLM2Error } from '../errors.ts';
import type { FunctionName, Pointer } from './declarations.ts';
import { type DType, dtypes } from './dtype.ts';
import { ggml, type NativeValue } from './library.ts';
import {
  type Context,
  contiguousStrides,
  describe,
  elementCount,
  isContiguous,
  type Shape,
  type Tensor,
  toShape,
} from './tensor.ts';

/**
 * Operations that change shape, type or place in memory, and nodes of our own. Each adds a node to the context; nothing is
 * computed yet. Shapes are ggml's: fastest axis first.
 */
export class ShapeOps {
  protected readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  /** Copies into the memory of `to`, converting the type. Returns `to` as written. */
  copy(from: Tensor, to: Tensor): Tensor {
    check(elementCount(from.shape) === elementCount(to.shape), 'copy', from, to);
    const pointer = ggml().pointer('ggml_cpy', this.context.pointer, from.pointer, to.pointer);
    return { ...to, pointer };
  }

  cast(x: Tensor, type: DType): Tensor {
    check(dtypes[type].block === 1, 'cast', x);
    return this.node('ggml_cast', type, x.shape, x.pointer, dtypes[type].id);
  }

  contiguous(x: Tensor): Tensor {
    return isContiguous(x) ? x : this.node('ggml_cont', x.type, x.shape, x.pointer);
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
    return this.node('ggml_concat', a.type, [d, n + b.shape[1], 1, 1], a.pointer, b.pointer, 1);
  }

  reshape(x: Tensor, ...sizes: number[]): Tensor {
    const shape = toShape(sizes, x.type);
    check(
      isContiguous(x) && elementCount(shape) === elementCount(x.shape),
      `reshape to [${sizes.join(', ')}]`,
      x,
    );
    return this.node('ggml_reshape_4d', x.type, shape, x.pointer, ...shape);
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
   * A node that calls a native function on every thread of the CPU's pool: `void fun(struct ggml_tensor *dst, int thread,
   * int threads, void *user)`. The function does not check its arguments, so the caller must check types, shapes and strides.
   */
  custom(fun: Pointer, type: DType, sizes: readonly number[], sources: readonly Tensor[], user = 0n): Tensor {
    const shape = toShape(sizes, type);
    const pointers = sources.map(({ pointer }) => pointer);
    const allThreads = -1;
    const { id } = dtypes[type];
    return this.node(
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

  protected node(name: FunctionName, type: DType, shape: Shape, ...args: NativeValue[]): Tensor {
    const pointer = ggml().pointer(name, this.context.pointer, ...args);
    return { pointer, type, shape, strides: contiguousStrides(type, shape) };
  }
}

/** @throws CogVLM2Error `engine_bug` with the shapes: ggml would abort the process. */
export function check(right: boolean, op: string, ...tensors: Tensor[]): asserts right {
  if (!right)
    throw new CogVLM2Error('engine_bug', `${op} does not fit ${tensors.map(describe).join(' and ')}.`);
}

/** Whether the elements of a row are next to each other. */
export function hasWholeRows(x: Tensor): boolean {
  return x.strides[0] === dtypes[x.type].bytes;
}

function spanBytes(type: DType, shape: Shape, strides: Shape): number {
  const row = (shape[0] / dtypes[type].block) * strides[0];
  return row + (shape[1] - 1) * strides[1] + (shape[2] - 1) * strides[2] + (shape[3] - 1) * strides[3];
}
