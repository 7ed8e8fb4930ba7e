import type { Pointer } from '../ggml/declarations.ts';
import type { DType } from '../ggml/dtype.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { Variant } from './variants.ts';

/** The C functions of `c/*.c`, without the variant that ends their names. Each is the function of a custom node. */
type KernelName =
  | 'quantize'
  | 'matmul'
  | 'words'
  | 'matmul_words'
  | 'gelu'
  | 'attention'
  | 'attention_append'
  | 'attention_scratch';

/** The compiled kernels of one instruction set. */
export interface Kernels {
  readonly variant: Variant;
  /** Of a node: `void (*)(struct ggml_tensor *dst, int thread, int threads, void *user)`; others as their C files say. */
  address(name: KernelName | 'pack_bytes' | 'pack_nibbles'): Pointer;
  /** The functions of c/pack.c, on a thread of libuv's pool. Packed weights are for this variant only. */
  packNibbles(
    from: Pointer,
    rowBytes: number,
    k: number,
    columns: number,
    type: number,
    to: Pointer,
  ): Promise<void>;
  packBytes(
    from: Pointer,
    rowBytes: number,
    k: number,
    columns: number,
    convert: Pointer | null,
    to: Pointer,
  ): Promise<void>;
}

/** The methods of `Graph` that make a kernel's node. Graphs use kernels, so the kernels do not import them. */
export interface GraphBuilder {
  input(type: DType, sizes: readonly number[], data: BigInt64Array): Tensor;
  custom(
    fun: Pointer,
    type: DType,
    sizes: readonly number[],
    sources: readonly Tensor[],
    user?: bigint,
  ): Tensor;
  view(
    x: Tensor,
    sizes: readonly number[],
    strides: readonly [number, number, number],
    offset: number,
  ): Tensor;
  effect(tensor: Tensor): void;
}
