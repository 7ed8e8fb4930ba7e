import type { Engine } from '../ggml/engine.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import { causalMask } from './causal-mask.ts';
import type { Rows, Sequence } from './decoder-layer.ts';
import type { KvCache } from './kv-cache.ts';

/** A token that is run behind what its sequence's cache holds. */
export interface DecodeStep {
  id: number;
  position: number;
  cache: KvCache;
}

/** Keys are read up to a multiple of this; a mask hides the empty ones, which the CPU's attention then skips. */
const keysAtOnce = 256;

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
    { n, groups }: { n: number; groups: number },
  ) {
    this.#graph = graph;
    this.#free = engine.owns(() => graph[Symbol.dispose]());
    this.ids = graph.input('i32', [n], new Int32Array(n));
    this.rows = {
      expert: 'language',
      positions: graph.input('i32', [n], new Int32Array(n)),
      sequences: steps.map(({ cache }) => {
        const keys = Math.min(cache.capacity, Math.ceil((cache.length + 1) / keysAtOnce) * keysAtOnce);
        return {
          cache,
          rows: 1,
          at: graph.input('i64', [1], new BigInt64Array(1)),
          keys,
          mask: graph.input('f16', [keys, 1], new Uint16Array(keys)),
        };
      }),
      groups,
    };
  }

  /** Whether these are its sequences, and their next keys are among those that it reads. */
  fits(steps: readonly DecodeStep[]): boolean {
    const { sequences } = this.rows;
    const goesOn = ({ cache, keys }: Sequence, i: number) => cache === steps[i]?.cache && cache.length < keys;
    return steps.length === sequences.length && sequences.every(goesOn);
  }

  /**
   * @returns logits [steps, vocab], or null when the graph has to be built anew. Then, and when it throws, it is freed.
   * @throws CogVLM2Error `disposed` when a cache is; `out_of_memory`.
   */
  async run(steps: readonly DecodeStep[]): Promise<Float32Array | null> {
    let outputs: Map<string, Float32Array> | null = null;
    try {
      this.#refill(steps);
      outputs = await this.#graph.repeat();
      return outputs?.get('logits') ?? null;
    } finally {
      if (!outputs) this[Symbol.dispose]();
    }
  }

  #refill(steps: readonly DecodeStep[]): void {
    const { positions, sequences } = this.rows;
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
    for (const { cache, at, keys, mask } of sequences) {
      cache.checkAlive();
      this.#graph.refill(at, BigInt64Array.of(BigInt(cache.length)));
      if (mask) this.#graph.refill(mask, causalMask(cache.length, 1, keys));
    }
  }

  [Symbol.dispose](): void {
    this.#free();
  }
}

/** A row's value for each of n rows; the last one once more where a row goes as a pair. */
export function padded(values: ArrayLike<number>, n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => values[Math.min(i, values.length - 1)] ?? 0);
}
