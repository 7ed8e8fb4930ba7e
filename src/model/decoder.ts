import type { Weights } from '../checkpoint/weights.ts';
import { CogVLM2Error } from '../errors.ts';
import type { Engine } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import { availableMemoryBytes } from '../ggml/machine.ts';
import { KeptWeights, PackedPass, type PackedWeights } from '../ggml/packed-weights.ts';
import { oneRowDiffers } from '../ggml/packing.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { AttentionKernel } from '../kernels/attention.ts';
import { type AttentionOptions, BatchAttention } from './batch-attention.ts';
import type { Chunk } from './chunks.ts';
import type { ModelConfig } from './config.ts';
import { type Choice, DecoderLayer, type Rows } from './decoder-layer.ts';
import type { KvCache } from './kv-cache.ts';
import { Linear, RmsNorm } from './layers.ts';
import { State } from './state.ts';
import { type DecodeStep, padded, StepGraph } from './step-graph.ts';
import type { Tap } from './trace-tap.ts';

/** Rows of one sequence, which are run behind what its cache holds. */
export interface Part {
  chunk: Chunk;
  cache: KvCache;
  /** The whole prompt's image tokens [H, imageTokens], where the chunk has rows of them. */
  image: State<'imageTokens'> | null;
}

export interface ForwardOptions {
  /** Which rows need logits: only a prompt's last is ever sampled from, so lm_head skips the others. */
  logits: 'none' | 'last' | 'all';
  tap?: Tap | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Llama-3's decoder with two experts in every layer. The rows of several sequences go through its products together,
 * so that the weights are read once; each row attends to its own sequence. What else runs beside a row must not change
 * its numbers, to the last bit, although ggml has other kernels for other shapes; see `pairs`, ggml-attention.ts and chunks.ts.
 */
export class Decoder {
  readonly #engine: Engine;
  readonly #embedTokens: Tensor;
  readonly #layers: DecoderLayer[];
  readonly #norm: RmsNorm;
  readonly #lmHead: Linear;
  /** One row of what ggml multiplies by another kernel than two and more goes as a pair. */
  readonly #pairs: boolean;
  readonly #attention: AttentionOptions;
  /** Every decode step's, packed for good where there is memory for it. */
  readonly #languageWeights: KeptWeights;
  /** Each layer's matrices of the vision expert. */
  readonly visionMatrices: Tensor[][] = [];
  readonly #packsVision: boolean;
  readonly #hiddenSize: number;
  /** The last decode step's. */
  #stepGraph: StepGraph | undefined;

  constructor(
    engine: Engine,
    weights: Weights,
    config: ModelConfig,
    { oneSequence, kernel }: { oneSequence: boolean; kernel: AttentionKernel | null },
  ) {
    const { hiddenSize, vocabSize, normEps, layers, headSize, heads, kvHeads } = config;
    this.#engine = engine;
    this.#embedTokens = weights.matrix('model.embed_tokens.weight', vocabSize, hiddenSize);
    const language: Tensor[] = [];
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const vision: Tensor[] = [];
      this.visionMatrices.push(vision);
      return new DecoderLayer(weights.at('model.layers', i), config, i, { language, vision });
    });
    this.#norm = new RmsNorm(weights.at('model'), 'norm', hiddenSize, normEps);
    this.#lmHead = new Linear(weights.into(language), 'lm_head', hiddenSize, vocabSize);
    const isCpu = engine.device.kind === 'cpu';
    this.#attention = { shape: { headSize, heads, kvHeads }, kernel, isCpu };
    this.#languageWeights = new KeptWeights(engine, language, {
      freeBytes: availableMemoryBytes(),
      alikeOnly: !oneSequence,
    });
    this.#pairs = language.some((weight) => oneRowDiffers(weight.type) && !this.#languageWeights.has(weight));
    this.#packsVision = this.visionMatrices.flat().some((weight) => engine.packing?.bufferTypeFor(weight));
    this.#hiddenSize = hiddenSize;
  }

  /**
   * Runs a chunk of a prompt behind what its cache holds and adds it to the cache. All rows meet the same expert, and
   * attend to everything before them in their sequence, whichever expert made it.
   * @returns logits [1, vocab] (the last row's) or [n, vocab], or an empty array.
   */
  async forward(part: Part, options: ForwardOptions): Promise<Float32Array> {
    const { chunk, cache } = part;
    const real = chunk.positions.length;
    const pair = this.#pairs && real === 1;
    const n = pair ? 2 : real;
    const isVision = chunk.expert === 'vision';
    const count = options.logits === 'last' ? 1 : real;
    const all: Choice = (_, x) => x;
    const wanted: Choice = (graph, x) => {
      if (count === real) return x;
      const rows = graph.rows(x, real - count, count);
      return this.#pairs && count === 1 ? graph.concatRows(rows, rows) : rows;
    };
    // Many rows amortise the packing of a layer just before its use: a graph a layer, and x in memory of its own between.
    const pass = isVision && this.#packsVision ? new PackedPass(this.#engine, this.visionMatrices) : null;
    const between = pass && new State(this.#engine, [['x', 'f32', [this.#hiddenSize, n]] as const]);
    try {
      const packed = isVision ? pass?.ready(0) : this.#languageWeights.ready(options.signal);
      let graph = new Graph(this.#engine, await packed);
      let rows = this.#rowsOf(graph, part, n);
      let logits: Float32Array = new Float32Array(0);
      const run = async () => {
        for (const [name, data] of await graph.run(options.signal)) {
          if (name === 'logits') logits = data;
          options.tap?.(name, data);
        }
      };
      const tap = (name: string, x: Tensor) => options.tap && graph.output(name, x);
      let x = this.#embed(graph, part, n); // [H, n]
      for (const [i, layer] of this.#layers.entries()) {
        if (pass && between && i > 0) {
          graph.effect(graph.copy(x, between.get('x')));
          await run();
          graph = new Graph(this.#engine, await pass.ready(i));
          rows = this.#rowsOf(graph, part, n);
          x = between.get('x');
        }
        tap(`hidden.${i}`, graph.rows(x, 0, real));
        x = layer.forward(graph, x, rows, i === this.#layers.length - 1 && !options.tap ? wanted : all);
      }
      // Without logits nothing asks for more than the keys and values that the layers leave in the cache.
      if (options.logits !== 'none') {
        const normed = this.#norm.forward(graph, options.tap ? wanted(graph, x) : x);
        tap(`hidden.${this.#layers.length}`, graph.rows(normed, 0, count));
        graph.output('logits', graph.rows(this.#lmHead.forward(graph, normed), 0, count));
      }
      await run();
      cache.length += real;
      return logits;
    } finally {
      await pass?.end();
      between?.[Symbol.dispose]();
    }
  }

  /**
   * Runs one token of each of several sequences and adds it to their caches.
   * @returns logits [steps, vocab]
   */
  async decode(steps: readonly DecodeStep[]): Promise<Float32Array> {
    const packed = await this.#languageWeights.ready();
    let graph = this.#takeStepGraph();
    let logits = await graph?.run(steps);
    if (!graph || !logits) {
      graph = this.#graphOf(steps, packed);
      logits = await graph.run(steps);
    }
    this.#stepGraph?.[Symbol.dispose]();
    this.#stepGraph = graph;
    for (const { cache } of steps) cache.length++;
    return logits ?? new Float32Array(0);
  }

  /** Whoever runs it has it: nobody else may change its inputs meanwhile. */
  #takeStepGraph(): StepGraph | null {
    const graph = this.#stepGraph ?? null;
    this.#stepGraph = undefined;
    return graph;
  }

  #graphOf(steps: readonly DecodeStep[], packed: PackedWeights): StepGraph {
    const graph = new Graph(this.#engine, packed);
    const n = this.#pairs && steps.length === 1 ? 2 : steps.length;
    const step = new StepGraph(this.#engine, graph, steps, { n, attention: this.#attention });
    let x = graph.getRows(this.#embedTokens, step.ids);
    for (const layer of this.#layers) x = layer.forward(graph, x, step.rows, (_, all) => all);
    const logits = this.#lmHead.forward(graph, this.#norm.forward(graph, x));
    graph.output('logits', graph.rows(logits, 0, steps.length));
    return step;
  }

  /** @param n rows of the graph, one more than the chunk has where a single one goes as a pair */
  #rowsOf(graph: Graph, { chunk, cache }: Part, n: number): Rows {
    return {
      expert: chunk.expert,
      positions: graph.input('i32', [n], padded(chunk.positions, n)),
      attention: new BatchAttention(graph, this.#attention, [{ cache, rows: chunk.positions.length }]),
    };
  }

  #embed(graph: Graph, { chunk, image }: Part, n: number): Tensor {
    const pieces = chunk.pieces.map((piece) => {
      if ('ids' in piece)
        return graph.getRows(this.#embedTokens, graph.input('i32', [piece.ids.length], piece.ids));
      if (!image) throw new CogVLM2Error('engine_bug', 'A chunk has image rows, but no image was given.');
      return graph.rows(image.get('imageTokens'), piece.imageRow, piece.count);
    });
    const x = pieces.reduce((left, right) => graph.concatRows(left, right));
    return n > x.shape[1] ? graph.concatRows(x, x) : x;
  }
}
