import koffi from 'koffi';
import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from '../ggml/declarations.ts';
import type { DType } from '../ggml/dtype.ts';
import { describe, isContiguous, type Tensor } from '../ggml/tensor.ts';
import type { GraphBuilder, Kernels } from './kernels.ts';
import { vectorLayouts } from './variants.ts';

export interface HeadShape {
  headSize: number;
  /** A multiple of `kvHeads`. */
  heads: number;
  kvHeads: number;
}

/** The rows of one sequence in a graph, after the rows of the previous sequence. */
export interface SequenceRows {
  /** Address of a tensor with the sizes `AttentionKernel.packedSizes`. */
  address: Pointer;
  /** Number of keys that fit into the tensor. */
  capacity: number;
  rows: number;
  /** The key of row i goes to `at + i`. */
  at: number;
  /** Each row attends to the first `keys` keys; null: row i attends to the first `at + i + 1` (causal). */
  keys: number | null;
}

/** Keys and values have 16 bits per element: bf16 or f16, depending on the kernels' variant. */
export const packedType = 'f16' satisfies DType;
const packedBytes = 2;
/** Keys are packed in groups whose size divides this number. */
const blockKeys = 64;
const tableColumns = 6;

/**
 * Attention over packed keys and values, computed by c/attention.c. Both nodes, `append` and `attend`, read a table of the
 * graph's sequences. The result of a row does not depend on other rows, other sequences or the number of threads.
 */
export class AttentionKernel {
  readonly #kernels: Kernels;
  readonly shape: HeadShape;
  readonly #threads: number;

  /** @param threads maximum number of threads that run a graph */
  constructor(kernels: Kernels, shape: HeadShape, threads: number) {
    this.#kernels = kernels;
    this.shape = shape;
    this.#threads = threads;
  }

  /** Returns null if ggml's attention must be used: on other processors, and for head sizes that are no multiple of 16. */
  static for(kernels: Kernels | null, shape: HeadShape, threads: number): AttentionKernel | null {
    return kernels && shape.headSize % 16 === 0 ? new AttentionKernel(kernels, shape, threads) : null;
  }

  /** Sizes of a tensor for keys and values: [elements of a block, blocks, kvHeads, keys and values of each layer]. */
  packedSizes(layers: number, capacity: number): number[] {
    return [blockKeys * this.#paddedSize, this.blocksOf(capacity), this.shape.kvHeads, 2 * layers];
  }

  /** Bytes of such a tensor. */
  packedBytes(layers: number, capacity: number): number {
    return this.packedSizes(layers, capacity).reduce((product, size) => product * size, packedBytes);
  }

  /** Bytes of the keys and values of one token in one layer. */
  get tokenBytes(): number {
    return 2 * packedBytes * this.#paddedSize * this.shape.kvHeads;
  }

  /** True: packed elements are bf16. False: they are f16. */
  get isBfloat16(): boolean {
    return vectorLayouts[this.#kernels.variant].pair === 2;
  }

  /** The index of element `i` of a key in the packed keys of its head (c/attention.c). */
  keyIndex(key: number, i: number): number {
    const { lanes, pair } = vectorLayouts[this.#kernels.variant];
    const group = Math.floor(key / lanes) * lanes * this.#paddedSize;
    return group + (i - (i % pair)) * lanes + (key % lanes) * pair + (i % pair);
  }

  /** Number of blocks of such a tensor for this number of keys. */
  blocksOf(keys: number): number {
    return Math.ceil(keys / blockKeys);
  }

  /** Memory for `attend` in addition to its result. */
  get scratchBytes(): number {
    const address = this.#kernels.address('attention_scratch');
    const scratch = koffi.decode(address, koffi.proto('int64_t (int64_t headSize)'));
    return Number(scratch(this.shape.headSize)) * this.#threads;
  }

  table(graph: GraphBuilder, sequences: readonly SequenceRows[]): Tensor {
    return graph.input('i64', [tableColumns, sequences.length], this.tableData(sequences));
  }

  /** The elements of the table, to refill it. @throws CogVLM2Error `engine_bug` if keys are outside the tensor. */
  tableData(sequences: readonly SequenceRows[]): BigInt64Array {
    return BigInt64Array.from(
      sequences.flatMap(({ address, capacity, rows, at, keys }) => {
        const isWhole = [rows, at, keys ?? 1].every(Number.isSafeInteger);
        if (
          !isWhole ||
          rows < 1 ||
          at < 0 ||
          at + rows > capacity ||
          (keys ?? 1) < 1 ||
          (keys ?? 1) > capacity
        ) {
          throw new CogVLM2Error(
            'engine_bug',
            `${rows} rows at ${at} that attend to ${keys ?? 'earlier'} keys do not fit into ${capacity}.`,
          );
        }
        const packedCapacity = this.blocksOf(capacity) * blockKeys;
        return [address, ...[packedCapacity, this.shape.kvHeads, rows, at, keys ?? 0].map(BigInt)];
      }),
    );
  }

  /** Adds a node that packs k and v, f32 [headSize, kvHeads, n]. It runs before any `attend` that is added after it. */
  append(graph: GraphBuilder, k: Tensor, v: Tensor, table: Tensor, layer: number): void {
    const { kvHeads } = this.shape;
    const fits = k.shape[2] === v.shape[2] && this.#isHeads(k, kvHeads) && this.#isHeads(v, kvHeads);
    check(fits && isTable(table), 'append', k, v, table);
    const kernel = this.#kernels.address('attention_append');
    graph.effect(graph.custom(kernel, 'f32', [1], [k, v, table], BigInt(layer)));
  }

  /** softmax(q k^T / sqrt(headSize)) v for q, f32 [headSize, heads, n] -> f32 [headSize, heads, n]. */
  attend(graph: GraphBuilder, q: Tensor, table: Tensor, layer: number): Tensor {
    check(this.#isHeads(q, this.shape.heads) && isTable(table), 'attend', q, table);
    const [headSize, heads, n] = q.shape;
    const count = headSize * heads * n;
    const kernel = this.#kernels.address('attention');
    const result = graph.custom(kernel, 'f32', [count + this.scratchBytes / 4], [q, table], BigInt(layer));
    const row = 4 * headSize;
    return graph.view(result, [headSize, heads, n], [row, row * heads, row * heads * n], 0);
  }

  get #paddedSize(): number {
    return Math.ceil(this.shape.headSize / 32) * 32;
  }

  #isHeads({ type, shape, strides }: Tensor, heads: number): boolean {
    return (
      type === 'f32' &&
      strides[0] === 4 &&
      shape[0] === this.shape.headSize &&
      shape[1] === heads &&
      shape[3] === 1
    );
  }
}

function isTable(table: Tensor): boolean {
  const isMatrix = table.shape[2] * table.shape[3] === 1;
  return table.type === 'i64' && table.shape[0] === tableColumns && isMatrix && isContiguous(table);
}

function check(right: boolean, node: string, ...tensors: Tensor[]): void {
  if (right) return;
  const shapes = tensors.map(describe).join(' and ');
  throw new CogVLM2Error('engine_bug', `The attention kernel's ${node} does not fit ${shapes}.`);
}
