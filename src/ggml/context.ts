import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from './declarations.ts';
import { type DType, dtypes } from './dtype.ts';
import { ggml } from './library.ts';
import { contiguousStrides, type Tensor, toShape } from './tensor.ts';

/** Room for the descriptions of tensors. Their data lives elsewhere: in a buffer, a mapped file or a graph. */
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
    if (this.#freed) throw new CogVLM2Error('disposed', 'A tensor was asked of a context that is freed.');
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
