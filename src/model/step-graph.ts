import type { Engine } from '../ggml/engine.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import { type AttentionOptions, BatchAttention, type SequencePart } from './batch-attention.ts';
import type { Rows } from './decoder-layer.ts';
import type { KvCache } from './kv-cache.ts';

/** A token that is run behind what its sequence's cache holds. */
export interface DecodeStep {
  id: number;
  position: number;
  cache: KvCache;
}

/**
 * The graph of one token of each of several sequences. To build it is work for JavaScript that grows with layers and
 * sequences, and nothing in it changes from one token to the next but what is given to it. So it is kept, and run again
 * while the same sequences go on.
 */
export class StepGraph {
  readonly rows: Rows;
  /** i32 [n] */
  readonly ids: Tensor;
  readonly #graph: Graph;
  readonly #free: () => void;

  /** @param n rows of the graph: one for each token, and one that nobody reads where a single one goes as a pair */
  constructor(
    engine: Engine,
    graph: Graph,
    steps: readonly DecodeStep[],
    { n, attention }: { n: number; attention: AttentionOptions },
  ) {
    this.#graph = graph;
    this.#free = engine.owns(() => graph[Symbol.dispose]());
    this.ids = graph.input('i32', [n], new Int32Array(n));
    this.rows = {
      expert: 'language',
      positions: graph.input('i32', [n], new Int32Array(n)),
      attention: new BatchAttention(graph, attention, parts(steps)),
    };
  }

  /**
   * @returns logits [steps, vocab], or null when the graph has to be built anew. Then, and when it throws, it is freed.
   * @throws CogVLM2Error `disposed` when a cache is; `out_of_memory`.
   */
  async run(steps: readonly DecodeStep[]): Promise<Float32Array | null> {
    let outputs: Map<string, Float32Array> | null = null;
    try {
      if (!this.#refill(steps)) return null;
      outputs = await this.#graph.repeat();
      return outputs?.get('logits') ?? null;
    } finally {
      if (!outputs) this[Symbol.dispose]();
    }
  }

  /** @returns false where the graph has to be built anew */
  #refill(steps: readonly DecodeStep[]): boolean {
    const { positions, attention } = this.rows;
    if (!attention.refill(this.#graph, parts(steps))) return false;
    const fill = (column: Tensor, values: number[]) =>
      this.#graph.refill(column, padded(values, column.shape[0]));
    fill(
      this.ids,
      steps.map(({ id }) => id),
    );
    fill(
      positions,
      steps.map(({ position }) => position),
    );
    return true;
  }

  [Symbol.dispose](): void {
    this.#free();
  }
}

function parts(steps: readonly DecodeStep[]): SequencePart[] {
  return steps.map(({ cache }) => ({ cache, rows: 1 }));
}

/** A row's value for each of n rows; the last one once more where a row goes as a pair. */
export function padded(values: ArrayLike<number>, n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => values[Math.min(i, values.length - 1)] ?? 0);
}
