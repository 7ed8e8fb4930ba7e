import { CogVLM2Error } from '../errors.ts';
import { type Engine, TensorSet } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { LowRankTerms } from '../ggml/ops.ts';
import type { PackedPass, PackedWeights } from '../ggml/packed-weights.ts';
import type { Tensor } from '../ggml/tensor.ts';
import { type AttentionOptions, BatchAttention } from './batch-attention.ts';
import type { Chunk } from './chunks.ts';
import type { DecoderPass, Rows } from './decoder.ts';
import type { KvCache } from './kv-cache.ts';
import { paddedInput } from './step-graph.ts';
import { type QueryTap, queriesName, type Tap } from './taps.ts';

/** Rows of one prompt that run after the rows in its cache. */
export interface PromptChunk {
  chunk: Chunk;
  cache: KvCache;
  /** The whole prompt's image tokens [H, imageTokens]; null if the chunk has no image rows. */
  image: TensorSet<'imageTokens'> | null;
}

export interface PromptPassOptions {
  /** The number of last rows that need logits. */
  logitRows: number;
  /** Minimum rows of a graph. The last row is repeated to reach it. */
  leastRows: number;
  attention: AttentionOptions;
  lowRank: LowRankTerms;
  tap?: Tap | undefined;
  /** For the last row. */
  queryTap?: QueryTap | undefined;
  signal?: AbortSignal | undefined;
}

/** Packed weights: the same for all layers, or made for each layer when its graph is built. */
export type LayerWeights = { all: PackedWeights } | { perLayer: PackedPass; width: number };

/** The run of a prompt chunk through the decoder: in one graph, or in a graph for each layer. */
export class PromptPass implements DecoderPass {
  graph: Graph;
  rows: Rows;
  readonly #engine: Engine;
  readonly #chunk: PromptChunk;
  readonly #options: PromptPassOptions;
  readonly #weights: LayerWeights;
  /** The activations x between two graphs. */
  readonly #between: TensorSet<'x'> | null;

  private constructor(
    engine: Engine,
    chunk: PromptChunk,
    weights: LayerWeights,
    first: PackedWeights,
    options: PromptPassOptions,
  ) {
    this.#engine = engine;
    this.#chunk = chunk;
    this.#weights = weights;
    this.#options = options;
    const n = Math.max(chunk.chunk.positions.length, options.leastRows);
    this.#between =
      'perLayer' in weights ? new TensorSet(engine, [['x', 'f32', [weights.width, n]] as const]) : null;
    this.graph = new Graph(engine, first, options.lowRank);
    this.rows = this.#inputs();
  }

  static async begin(
    engine: Engine,
    chunk: PromptChunk,
    weights: LayerWeights,
    options: PromptPassOptions,
  ): Promise<PromptPass> {
    const first = 'all' in weights ? weights.all : await weights.perLayer.ready(0);
    return new PromptPass(engine, chunk, weights, first, options);
  }

  readonly select = (graph: Graph, x: Tensor): Tensor => {
    const { logitRows, leastRows } = this.#options;
    const { length } = this.#chunk.chunk.positions;
    return logitRows === length || logitRows === 0 // only keys and values of these rows are needed
      ? x
      : graph.padRows(graph.rows(x, length - logitRows, logitRows), leastRows);
  };

  embed(table: Tensor): Tensor {
    const { chunk, image } = this.#chunk;
    const { graph } = this;
    const pieces = chunk.pieces.map((piece) => {
      if ('ids' in piece) return graph.getRows(table, graph.input('i32', [piece.ids.length], piece.ids));
      if (!image) throw new CogVLM2Error('engine_bug', 'A chunk has image rows, but no image was given.');
      return graph.rows(image.get('imageTokens'), piece.imageRow, piece.count);
    });
    const x = pieces.reduce((above, below) => graph.concatRows(above, below));
    return graph.padRows(x, this.#options.leastRows);
  }

  async enterLayer(index: number, x: Tensor): Promise<Tensor> {
    if (index === 0 || !this.#between || !('perLayer' in this.#weights)) return x;
    const between = this.#between.get('x');
    this.graph.effect(this.graph.copy(x, between));
    await this.#run();
    this.graph = new Graph(this.#engine, await this.#weights.perLayer.ready(index), this.#options.lowRank);
    this.rows = this.#inputs();
    return between;
  }

  tap(name: string, x: Tensor): void {
    if (!this.#options.tap) return;
    const rows = Math.min(x.shape[1], this.#chunk.chunk.positions.length);
    this.graph.output(name, this.graph.rows(x, 0, rows));
  }

  /** Runs the remaining graph. @returns the logits [logitRows, vocab], or an empty array for no rows */
  async finish(logits: Tensor): Promise<Float32Array> {
    const { logitRows } = this.#options;
    if (logitRows > 0) this.graph.output('logits', this.graph.rows(logits, 0, logitRows));
    return (await this.#run()).get('logits') ?? new Float32Array(0);
  }

  [Symbol.dispose](): void {
    this.#between?.[Symbol.dispose]();
  }

  async #run(): Promise<Map<string, Float32Array>> {
    const outputs = await this.graph.run(this.#options.signal);
    const { tap, queryTap } = this.#options;
    for (const [name, data] of outputs) tap?.(name, data);
    for (const layer of queryTap?.layers ?? []) {
      const queries = outputs.get(queriesName(layer));
      if (queries) queryTap?.onQueries(layer, queries);
    }
    return outputs;
  }

  /** The graph inputs that every layer needs. */
  #inputs(): Rows {
    const { chunk, cache } = this.#chunk;
    const { leastRows, attention, queryTap } = this.#options;
    const { positions, expert } = chunk;
    return {
      expert,
      positions: paddedInput(this.graph, positions, Math.max(positions.length, leastRows)),
      attention: new BatchAttention(this.graph, attention, [{ cache, rows: positions.length }]),
      tapped: queryTap && { layers: queryTap.layers, first: positions.length - 1, count: 1 },
    };
  }
}
