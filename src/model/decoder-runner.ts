import type { Engine } from '../ggml/engine.ts';
import { availableMemoryBytes } from '../ggml/machine.ts';
import type { LowRankTerms } from '../ggml/ops.ts';
import { KeptWeights, PackedPass } from '../ggml/packed-weights.ts';
import { oneRowDiffers } from '../ggml/packing.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { AttentionKernel } from '../kernels/attention.ts';
import type { AttentionOptions } from './batch-attention.ts';
import type { ModelConfig } from './config.ts';
import type { Decoder } from './decoder.ts';
import type { PartMatrices } from './parts.ts';
import { type LayerWeights, type PromptChunk, PromptPass } from './prompt-pass.ts';
import { type DecodeStep, StepGraph } from './step-graph.ts';
import type { QueryTap, Tap } from './taps.ts';

export interface PrefillChunkOptions {
  /** The rows that need logits. Only the last row of a prompt is sampled, so lm_head skips the others. */
  logits: 'none' | 'last' | 'all';
  lowRank: LowRankTerms;
  tap?: Tap | undefined;
  /** For the last row. */
  queryTap?: QueryTap | undefined;
  signal?: AbortSignal | undefined;
}

export interface DecoderRunnerOptions {
  matrices: PartMatrices;
  /** null: ggml's attention */
  kernel: AttentionKernel | null;
  /** Whether a row must have the same bits in every batch and chunk. Some packed weights do not guarantee this. */
  batchInvariant: boolean;
}

/**
 * Runs the decoder over chunks of prompts and over decode steps, with packed weights where they are faster. A decode step
 * multiplies the rows of all its sequences together, so the weights are read once.
 */
export class DecoderRunner {
  readonly #engine: Engine;
  readonly #decoder: Decoder;
  readonly #width: number;
  readonly #attention: AttentionOptions;
  /** The weights of decode steps, packed once and kept if there is memory for it. */
  readonly #languageWeights: KeptWeights;
  /** Each layer's matrices of the vision expert, packed for each chunk; null if they are used as stored. */
  readonly #visionMatrices: readonly Tensor[][] | null;
  /** ggml multiplies a single row by some types with a kernel that rounds differently than that for several rows. */
  readonly #leastRows: number;
  /** The last decode step's graph. */
  #stepGraph: StepGraph | undefined;

  constructor(
    engine: Engine,
    decoder: Decoder,
    config: ModelConfig,
    { matrices, kernel, batchInvariant }: DecoderRunnerOptions,
  ) {
    const { headSize, heads, kvHeads } = config;
    this.#engine = engine;
    this.#decoder = decoder;
    this.#width = config.hiddenSize;
    const isCpu = engine.device.kind === 'cpu';
    this.#attention = { shape: { headSize, heads, kvHeads }, kernel, isCpu };
    const language = [...matrices['language experts'], ...matrices.lm_head].flat();
    this.#languageWeights = new KeptWeights(engine, language, {
      freeBytes: availableMemoryBytes(),
      batchInvariantOnly: batchInvariant,
    });
    const isSplit = language.some(
      (weight) => oneRowDiffers(weight, engine.kernels) && !this.#languageWeights.layoutOf(weight),
    );
    this.#leastRows = isSplit ? 2 : 1;
    const vision = matrices['vision experts'];
    const packsVision = vision.flat().some((weight) => engine.packing?.layoutOf(weight, 'many rows'));
    this.#visionMatrices = packsVision ? vision : null;
  }

  /**
   * Runs a chunk after the rows in its cache and appends it to the cache. All rows use the same expert, and attend to all
   * earlier rows of their sequence, of both experts.
   * @returns logits [1, vocab] (the last row's) or [n, vocab], or an empty array
   */
  async prefill(
    chunk: PromptChunk,
    { logits, lowRank, tap, queryTap, signal }: PrefillChunkOptions,
  ): Promise<Float32Array> {
    const rows = chunk.chunk.positions.length;
    const logitRows = { none: 0, last: 1, all: rows }[logits];
    const isVision = chunk.chunk.expert === 'vision';
    // Many rows amortize the packing of a layer just before its use.
    const perLayer =
      isVision && this.#visionMatrices ? new PackedPass(this.#engine, this.#visionMatrices) : null;
    try {
      const weights: LayerWeights = perLayer
        ? { perLayer, width: this.#width }
        : { all: isVision ? new Map() : await this.#languageWeights.ready(signal) };
      const options = {
        logitRows,
        leastRows: this.#leastRows,
        attention: this.#attention,
        lowRank,
        tap,
        queryTap,
        signal,
      };
      using pass = await PromptPass.begin(this.#engine, chunk, weights, options);
      const result = await pass.finish(await this.#decoder.forward(pass));
      chunk.cache.length += rows;
      return result;
    } finally {
      await perLayer?.end();
    }
  }

  /**
   * Runs one token of each of several sequences and adds it to their caches.
   * @returns logits [steps, vocab]
   */
  async decode(steps: readonly DecodeStep[], lowRank: LowRankTerms): Promise<Float32Array> {
    const packed = await this.#languageWeights.ready();
    let graph = this.#takeStepGraph(lowRank);
    let logits = await graph?.run(steps);
    if (!graph || !logits) {
      const options = { leastRows: this.#leastRows, attention: this.#attention, lowRank };
      graph = await StepGraph.build(this.#engine, this.#decoder, packed, steps, options);
      logits = await graph.run(steps);
    }
    this.#stepGraph?.[Symbol.dispose]();
    this.#stepGraph = graph;
    for (const { cache } of steps) cache.length++;
    return logits ?? new Float32Array(0);
  }

  /** Takes the graph out of `#stepGraph`, so that no other step changes its inputs while it runs. */
  #takeStepGraph(lowRank: LowRankTerms): StepGraph | undefined {
    const graph = this.#stepGraph;
    this.#stepGraph = undefined;
    if (!graph || graph.lowRank === lowRank) return graph;
    graph[Symbol.dispose]();
    return undefined;
  }
}
