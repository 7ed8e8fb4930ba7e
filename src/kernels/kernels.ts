import type { Pointer } from '../ggml/declarations.ts';
import type { DType } from '../ggml/dtype.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { Variant } from './variants.ts';

/** Names of the C functions in `c/*.c`, without the variant at the end. Each is the function of a custom node. */
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
  /** Address of a node's function, `void (*)(struct ggml_tensor *dst, int thread, int threads, void *user)`, or of another C function. */
  address(name: KernelName | 'pack_bytes' | 'pack_nibbles'): Pointer;
  /** The functions of c/pack.c. They run on a thread of libuv's pool. Packed weights are for this variant only. */
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

/** The methods of `Graph` that add the node of a kernel. Graphs import kernels, so kernels do not import graphs. */
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
