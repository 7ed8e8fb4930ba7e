import type { Engine } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { LowRankTerms } from '../ggml/ops.ts';
import type { PackedWeights } from '../ggml/packed-weights.ts';
import type { Tensor } from '../ggml/tensor.ts';
import { type AttentionOptions, BatchAttention, type SequencePart } from './batch-attention.ts';
import type { Decoder, DecoderPass, Rows } from './decoder.ts';
import type { KvCache } from './kv-cache.ts';
import { type QueryTap, queriesName, type TappedRows } from './taps.ts';

/** A token that runs after the rows in its sequence's cache. */
export interface DecodeStep {
  id: number;
  position: number;
  cache: KvCache;
  /** The adapter of the request. */
  adapter?: string | undefined;
  tap?: QueryTap | undefined;
}

export interface StepGraphOptions {
  /** Minimum rows of a graph. The last row is repeated to reach it. */
  leastRows: number;
  attention: AttentionOptions;
  lowRank: LowRankTerms;
}

/**
 * The graph of a decode step: one token of each of several sequences. The time to build it grows with layers and sequences, and
 * only its inputs change from one token to the next. So the graph is kept and run again.
 */
export class StepGraph implements DecoderPass {
  readonly graph: Graph;
  readonly rows: Rows;
  readonly lowRank: LowRankTerms;
  /** i32 [n] */
  readonly #ids: Tensor;
  readonly #free: () => void;

  private constructor(
    engine: Engine,
    packed: PackedWeights,
    steps: readonly DecodeStep[],
    { leastRows, attention, lowRank }: StepGraphOptions,
  ) {
    const graph = new Graph(engine, packed, lowRank);
    this.lowRank = lowRank;
    const n = Math.max(steps.length, leastRows);
    this.graph = graph;
    this.#free = engine.owns(() => graph[Symbol.dispose]());
    this.#ids = paddedInput(graph, idsOf(steps), n);
    this.rows = {
      expert: 'language',
      positions: paddedInput(graph, positionsOf(steps), n),
      attention: new BatchAttention(graph, attention, partsOf(steps)),
      tapped: tappedRows(steps),
    };
  }

  static async build(
    engine: Engine,
    decoder: Decoder,
    packed: PackedWeights,
    steps: readonly DecodeStep[],
    options: StepGraphOptions,
  ): Promise<StepGraph> {
    const step = new StepGraph(engine, packed, steps, options);
    const logits = await decoder.forward(step);
    step.graph.output('logits', step.graph.rows(logits, 0, steps.length));
    return step;
  }

  embed(table: Tensor): Tensor {
    return this.graph.getRows(table, this.#ids);
  }

  async enterLayer(_: number, x: Tensor): Promise<Tensor> {
    return x;
  }

  readonly select = (_: Graph, x: Tensor): Tensor => x;

  tap(): void {}

  /**
   * @returns logits [steps, vocab], or null if the graph must be rebuilt. In that case, and after an error, it is freed.
   * @throws CogVLM2Error `disposed` if a cache was disposed; `out_of_memory`.
   */
  async run(steps: readonly DecodeStep[]): Promise<Float32Array | null> {
    let outputs: Map<string, Float32Array> | null = null;
    try {
      if (!this.#refill(steps)) return null;
      outputs = await this.graph.repeat();
      if (outputs) this.#handOut(steps, outputs);
      return outputs?.get('logits') ?? null;
    } finally {
      if (!outputs) this[Symbol.dispose]();
    }
  }

  /** @returns false if the graph must be rebuilt */
  #refill(steps: readonly DecodeStep[]): boolean {
    const { positions, attention, tapped } = this.rows;
    if (String(tapped?.layers) !== String(tappedRows(steps)?.layers)) return false;
    if (!attention.refill(this.graph, partsOf(steps))) return false;
    this.graph.refill(this.#ids, padded(idsOf(steps), this.#ids.shape[0]));
    this.graph.refill(positions, padded(positionsOf(steps), positions.shape[0]));
    return true;
  }

  #handOut(steps: readonly DecodeStep[], outputs: ReadonlyMap<string, Float32Array>): void {
    for (const layer of this.rows.tapped?.layers ?? []) {
      const queries = outputs.get(queriesName(layer));
      if (!queries) continue;
      const size = queries.length / steps.length;
      for (const [i, { tap }] of steps.entries())
        if (tap?.layers.includes(layer)) tap.onQueries(layer, queries.slice(i * size, (i + 1) * size));
    }
  }

  [Symbol.dispose](): void {
    this.#free();
  }
}

/** All rows, in the layers in which at least one of them is tapped. */
function tappedRows(steps: readonly DecodeStep[]): TappedRows | undefined {
  const layers = [...new Set(steps.flatMap(({ tap }) => tap?.layers ?? []))].sort((a, b) => a - b);
  return layers.length === 0 ? undefined : { layers, first: 0, count: steps.length };
}

const idsOf = (steps: readonly DecodeStep[]) => steps.map(({ id }) => id);
const positionsOf = (steps: readonly DecodeStep[]) => steps.map(({ position }) => position);
const partsOf = (steps: readonly DecodeStep[]): SequencePart[] =>
  steps.map(({ cache }) => ({ cache, rows: 1 }));

/** i32 [n]: a value for each row; the last one is repeated. */
export function paddedInput(graph: Graph, values: ArrayLike<number>, n: number): Tensor {
  return graph.input('i32', [n], padded(values, n));
}

function padded(values: ArrayLike<number>, n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => values[Math.min(i, values.length - 1)] ?? 0);
}
