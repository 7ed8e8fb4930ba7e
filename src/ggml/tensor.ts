import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from './declarations.ts';
import { type DType, dtypes, rowBytes } from './dtype.ts';
import { ggml } from './library.ts';

/** Sizes in ggml's order: the fastest axis first, so a PyTorch [rows, columns] is [columns, rows, 1, 1] here. */
export type Shape = readonly [number, number, number, number];

/**
 * A handle to a ggml tensor and our own record of its shape: ggml aborts the process on a wrong shape, so every
 * op is checked against this record before it is called. The memory belongs to the context that made it.
 */
export interface Tensor {
  readonly pointer: Pointer;
  readonly type: DType;
  readonly shape: Shape;
  /** Bytes from one element, row, slice and cube to the next. */
  readonly strides: Shape;
}

export function contiguousStrides(type: DType, shape: Shape): Shape {
  const row = rowBytes(type, shape[0]);
  return [dtypes[type].bytes, row, row * shape[1], row * shape[1] * shape[2]];
}

export function isContiguous(tensor: Tensor): boolean {
  const wanted = contiguousStrides(tensor.type, tensor.shape);
  // The stride of an axis of length 1 is never used.
  return tensor.shape.every((size, axis) => size === 1 || tensor.strides[axis] === wanted[axis]);
}

/** Whether it has two axes, unlike a convolution's kernel. */
export function isMatrix({ shape }: Tensor): boolean {
  return shape[2] === 1 && shape[3] === 1;
}

export function elementCount(shape: Shape): number {
  return shape[0] * shape[1] * shape[2] * shape[3];
}

/** Bytes of a contiguous tensor. */
export function byteSize(type: DType, shape: Shape): number {
  return rowBytes(type, shape[0]) * shape[1] * shape[2] * shape[3];
}

export function describe(tensor: Tensor): string {
  return `${tensor.type} [${tensor.shape.join(', ')}]`;
}

/** Pads to four axes. @throws CogVLM2Error `engine_bug` for sizes that ggml would abort on. */
export function toShape(sizes: readonly number[], type: DType): Shape {
  const [a = 1, b = 1, c = 1, d = 1, ...more] = sizes;
  const shape: Shape = [a, b, c, d];
  if (more.length > 0 || shape.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new CogVLM2Error(
      'engine_bug',
      `[${sizes.join(', ')}] is not a shape of one to four positive sizes.`,
    );
  }
  if (a % dtypes[type].block !== 0) {
    throw new CogVLM2Error(
      'engine_bug',
      `Rows of ${a} elements are not whole blocks of ${dtypes[type].block}, as ${type} needs.`,
    );
  }
  return shape;
}

/** Memory for the descriptions of tensors. Their data is elsewhere: in a buffer, a mapped file or a graph. */
export class Context {
  readonly pointer: Pointer;
  #freed = false;

  constructor(sizeBytes: number) {
    this.pointer = ggml().pointer('ggml_init', { mem_size: sizeBytes, mem_buffer: null, no_alloc: true });
  }

  static forTensors(count: number): Context {
    return new Context(ggml().number('ggml_tensor_overhead') * (count + 1));
  }

  /** A tensor without data yet; `sizes` has the fastest axis first. */
  tensor(type: DType, sizes: readonly number[]): Tensor {
    if (this.#freed) throw new CogVLM2Error('disposed', 'A tensor was requested from a freed context.');
    const shape = toShape(sizes, type);
    const pointer = ggml().pointer('ggml_new_tensor_4d', this.pointer, dtypes[type].id, ...shape);
    return { pointer, type, shape, strides: contiguousStrides(type, shape) };
  }

  [Symbol.dispose](): void {
    if (this.#freed) return;
    this.#freed = true;
    ggml().run('ggml_free', this.pointer);
  }
}
