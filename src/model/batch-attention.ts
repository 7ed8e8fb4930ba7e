import { CogVLM2Error } from '../errors.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { AttentionKernel, HeadShape } from '../kernels/attention.ts';
import { GgmlAttention, type GgmlRows } from './ggml-attention.ts';
import type { KvCache } from './kv-cache.ts';
import { PackedAttention, type PackedRows } from './packed-attention.ts';

/** The rows of a graph that belong to one sequence, in the order of the sequences. */
export interface SequencePart {
  cache: KvCache;
  rows: number;
}

export interface AttentionOptions {
  shape: HeadShape;
  /** null: ggml's attention */
  kernel: AttentionKernel | null;
  /** Whether ggml computes on the CPU. */
  isCpu: boolean;
}

/** How the rows of a graph attend to their sequences: by the attention kernel, or by ggml. */
export class BatchAttention {
  readonly #rows: number;
  readonly #attention: PackedAttention | GgmlAttention;

  constructor(graph: Graph, { shape, kernel, isCpu }: AttentionOptions, sequences: readonly SequencePart[]) {
    this.#rows = sequences.reduce((sum, { rows }) => sum + rows, 0);
    this.#attention = kernel
      ? new PackedAttention(graph, kernel, packedRows(sequences))
      : new GgmlAttention(graph, shape, isCpu, ggmlRows(sequences));
  }

  /**
   * q [headSize, heads, n], k and v [headSize, kvHeads, n] -> [headSize * heads, n]. Appends k and v to the caches first.
   * Padding rows after those of the sequences are copies of the last row, and so are their results.
   */
  attend(graph: Graph, layer: number, q: Tensor, k: Tensor, v: Tensor): Tensor {
    const [headSize, heads, n] = q.shape;
    const own = (x: Tensor) => graph.slices(x, 0, this.#rows);
    const o = this.#attention.attend(graph, layer, own(q), own(k), own(v));
    return graph.padRows(graph.reshape(o, headSize * heads, this.#rows), n);
  }

  /** Sets the inputs for the graph's next run, with one row of each sequence. @returns false if the graph must be rebuilt */
  refill(graph: Graph, sequences: readonly SequencePart[]): boolean {
    for (const { cache } of sequences) cache.checkAlive();
    return this.#attention instanceof PackedAttention
      ? this.#attention.refill(graph, packedRows(sequences))
      : this.#attention.refill(graph, ggmlRows(sequences));
  }
}

function ggmlRows(sequences: readonly SequencePart[]): GgmlRows[] {
  return sequences.map(({ cache: { layer, capacity, length }, rows }) => ({
    layer,
    capacity,
    rows,
    past: length,
  }));
}

function packedRows(sequences: readonly SequencePart[]): PackedRows[] {
  return sequences.map(({ cache: { packed, length }, rows }) => {
    if (!packed) throw new CogVLM2Error('engine_bug', "The attention kernel got a cache in ggml's layout.");
    return { memory: packed, rows, past: length };
  });
}
