import type { Checkpoint } from '../checkpoint/types.ts';
import { WeightLoader, Weights } from '../checkpoint/weights.ts';
import { CogVLM2Error } from '../errors.ts';
import { Engine, type EngineOptions, maxGraphNodes, type Processor, TensorSet } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { LowRankTerms } from '../ggml/ops.ts';
import { PackedPass } from '../ggml/packed-weights.ts';
import type { AttentionKernel } from '../kernels/attention.ts';
import { Adapter } from './adapter.ts';
import { mostChunkRows, nextChunk, type PromptRows } from './chunks.ts';
import { type ModelConfig, parseConfig, towerRows } from './config.ts';
import { Decoder } from './decoder.ts';
import { DecoderRunner } from './decoder-runner.ts';
import { mostGgmlTextRows } from './ggml-attention.ts';
import { KvCache, layerTokenBytes } from './kv-cache.ts';
import { loadLowRankTerms } from './lora.ts';
import type { MemoryPlan } from './memory-plan.ts';
import { matricesByPart, nothingOnGpu, type PartMatrices, type Placement, processorOf } from './parts.ts';
import { type PlannedModel, type PlanOptions, planModel } from './plan-model.ts';
import type { DecodeStep } from './step-graph.ts';
import type { KeyRange, QueryTap, Tap } from './taps.ts';
import { type TowerOptions, VisionTower } from './vision-tower.ts';

export interface ModelOptions extends EngineOptions, PlanOptions {
  onLoad?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface PrefillOptions {
  image: TensorSet<'imageTokens'> | null;
  /** Rows of the prompt that the cache already holds. */
  start?: number;
  signal?: AbortSignal | undefined;
  onTokens?: ((done: number, total: number) => void) | undefined;
  logits?: 'last' | 'all';
  /** The approximate size of the next chunk, in rows. It is called before each chunk. Default: `mostChunkRows`. */
  chunkRows?: () => number;
  /** Name of the adapter that the prompt is run with; see `Model.load`. */
  adapter?: string | undefined;
  tap?: Tap | undefined;
  /** Of the last row. */
  queryTap?: QueryTap | undefined;
}

interface ModelParts extends Pick<PlannedModel, 'isFloat32' | 'attention'> {
  plan: Pick<MemoryPlan, 'placement' | 'kvTokens'>;
  /** Whether a row must have the same bits in every batch and chunk. */
  batchInvariant: boolean;
}

/** Nodes of a decoder layer in a graph, and of each sequence in a layer. Both are rounded up. */
const layerNodes = 70;
const sequenceNodes = 14;

/**
 * The model: encodes an image to image tokens, runs a prompt into the KV cache, and decodes tokens. With a mapped checkpoint,
 * the parts that only images need (58% of the weights) leave memory after each image.
 */
export class Model {
  readonly config: ModelConfig;
  readonly engine: Engine;
  readonly isFloat32: boolean;
  /** Which layers are on the GPU. */
  readonly placement: Placement;
  /** The planned capacity of all KV caches together, in tokens. */
  readonly kvTokens: number;
  /** Whether chunks of text are limited, so that ggml's attention computes every row with the same kernel. */
  readonly #limitsText: boolean;
  readonly #tower: VisionTower;
  readonly #adapter: Adapter;
  readonly #decoder: DecoderRunner;
  readonly #matrices: PartMatrices;
  /** By the name of the adapter. */
  #lowRank: ReadonlyMap<string, LowRankTerms> = new Map();
  readonly #kernel: AttentionKernel | null;

  private constructor(
    engine: Engine,
    weights: Weights,
    config: ModelConfig,
    { isFloat32, attention, plan, batchInvariant }: ModelParts,
  ) {
    const { placement } = plan;
    this.config = config;
    this.placement = placement;
    this.engine = engine;
    this.isFloat32 = isFloat32;
    this.#tower = new VisionTower(engine, weights.at('model.vision'), config.vision, {
      isFloat32,
      processor: placement.tower > 0 ? 'gpu' : 'cpu',
      kernel: attention.tower,
    });
    this.#adapter = new Adapter(weights.at('model.vision'), config);
    this.#kernel = attention.decoder;
    this.kvTokens = plan.kvTokens;
    this.#limitsText = batchInvariant && this.#kernel === null && engine.device.kind === 'cpu';
    const decoder = new Decoder(weights, config);
    this.#matrices = matricesByPart(weights.matrices);
    this.#decoder = new DecoderRunner(engine, decoder, config, {
      matrices: this.#matrices,
      kernel: this.#kernel,
      batchInvariant,
    });
  }

  /**
   * With `adapters`, requests without an adapter use the one named ''.
   * @throws CogVLM2Error `invalid_checkpoint`, `engine_unavailable`, `invalid_value`, `out_of_memory`.
   */
  static async load(checkpoint: Checkpoint, options: ModelOptions = {}): Promise<Model> {
    const planned = planModel(checkpoint, options);
    const { config, isFloat32, threads, plan } = planned;
    if (plan.problem !== null) throw new CogVLM2Error('out_of_memory', plan.problem);
    const engine = new Engine({ ...options, threads });
    try {
      const processorOfTensor = (name: string) => processorOf(plan.placement, name);
      const loader = new WeightLoader(engine, checkpoint, { isFloat32, processorOf: processorOfTensor });
      const batchInvariant = options.parallel !== 1;
      const model = new Model(engine, new Weights(loader), config, { ...planned, batchInvariant });
      await loader.finish(options.onLoad ?? (() => {}), options.signal);
      const { adapters = new Map() } = options;
      model.#lowRank = loadLowRankTerms(engine, checkpoint, loader.matrices, processorOfTensor, adapters);
      return model;
    } catch (error) {
      engine[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Requests every tensor like a load, but reads none. A conversion, which takes half an hour, calls it first.
   * @throws CogVLM2Error `invalid_checkpoint` naming the tensor that is missing, unused or of another shape.
   */
  static check(checkpoint: Checkpoint): void {
    const config = parseConfig(checkpoint.texts['config.json'], checkpoint.path, checkpoint.tensors);
    using engine = new Engine({ device: 'cpu', threads: 1 });
    const loader = new WeightLoader(engine, checkpoint, { isFloat32: false, processorOf: () => 'cpu' });
    new Model(engine, new Weights(loader), config, {
      isFloat32: false,
      attention: { tower: null, decoder: null },
      plan: { placement: nothingOnGpu, kvTokens: 0 },
      batchInvariant: true,
    });
    loader.expectAllUsed();
  }

  /** pixels [3, S, S] -> image tokens [H, imageTokens] on the device; the caller disposes them. */
  encodeImage(pixels: Float32Array, options: TowerOptions = {}): Promise<TensorSet<'imageTokens'>> {
    return runToEnd(this.encodeInBlocks(pixels, options));
  }

  /** `encodeImage` that yields after each block of the tower, so that other work can run in between. */
  async *encodeInBlocks(
    pixels: Float32Array,
    options: TowerOptions = {},
  ): AsyncGenerator<void, TensorSet<'imageTokens'>> {
    const { hiddenSize, vision } = this.config;
    let state: TensorSet<'imageTokens'> | undefined;
    const adapterPass = new PackedPass(this.engine, [this.#matrices.adapter.flat()]);
    try {
      const lowRank = this.#lowRankOf(options.adapter);
      using features = yield* this.#tower.blocks(pixels, options, lowRank);
      const processor = this.imageTokenProcessor;
      const x = features.get('x');
      const n = towerRows(vision);
      const frames = x.shape[1] / n;
      const sizes = [hiddenSize, frames * vision.imageTokens];
      state = new TensorSet(this.engine, [['imageTokens', 'f32', sizes] as const], processor);
      const packed = await adapterPass.ready(0);
      for (let frame = 0; frame < frames; frame++) {
        if (frame > 0) yield;
        const graph = new Graph(this.engine, packed, lowRank);
        const { convolved, imageTokens } = this.#adapter.forward(graph, graph.rows(x, frame * n, n));
        if (options.tap) {
          if (convolved) graph.output('vision.conv', convolved);
          graph.output('vision.output', imageTokens);
        }
        const rows = graph.rows(state.get('imageTokens'), frame * vision.imageTokens, vision.imageTokens);
        graph.effect(graph.copy(imageTokens, rows));
        for (const [name, data] of await graph.run(options.signal)) options.tap?.(name, data);
      }
      return state;
    } catch (error) {
      state?.[Symbol.dispose]();
      throw error;
    } finally {
      await adapterPass.end();
      this.engine.evictPages([...this.#matrices.tower, ...this.#matrices.adapter].flat());
    }
  }

  /** The processor of the image tokens: that of the experts that read them. */
  get imageTokenProcessor(): Processor {
    const experts = this.config.hasVisionExperts ? 'vision experts' : 'language experts';
    return this.placement[experts] > 0 ? 'gpu' : 'cpu';
  }

  /** Bytes of one token in a KV cache: keys and values of every layer. */
  get kvBytesPerToken(): number {
    return this.config.layers * layerTokenBytes(this.config, this.isFloat32, this.#kernel);
  }

  /** Maximum sequences in one decode step, limited by the nodes of a graph. */
  get mostSequences(): number {
    return Math.floor((maxGraphNodes / this.config.layers - layerNodes) / sequenceNodes);
  }

  newCache(capacity: number): KvCache {
    return new KvCache(this.engine, this.config, {
      capacity,
      isFloat32: this.isFloat32,
      layersOnGpu: this.placement['language experts'],
      kernel: this.#kernel,
    });
  }

  /** Runs the prompt from row `start` into the cache. @returns the logits of the last row (or of all rows) */
  prefill(prompt: PromptRows, cache: KvCache, options: PrefillOptions): Promise<Float32Array> {
    return runToEnd(this.prefillInChunks(prompt, cache, options));
  }

  /** `prefill` that yields after each chunk, so that other work can run in between. */
  async *prefillInChunks(
    prompt: PromptRows,
    cache: KvCache,
    options: PrefillOptions,
  ): AsyncGenerator<void, Float32Array> {
    const { image, tap, queryTap, signal, onTokens, chunkRows = () => mostChunkRows } = options;
    const lowRank = this.#lowRankOf(options.adapter);
    const total = prompt.ids.length;
    const rowsOfPrompt = this.config.hasVisionExperts
      ? prompt
      : { ...prompt, visionRows: new Uint8Array(total) };
    cache.length = options.start ?? 0;
    let readsVision = false;
    try {
      for (;;) {
        const rows = chunkRows();
        const textRows = this.#limitsText ? Math.min(rows, mostGgmlTextRows) : rows;
        const chunk = nextChunk(rowsOfPrompt, cache.length, { vision: rows, language: textRows });
        readsVision ||= chunk.expert === 'vision';
        const isLast = cache.length + chunk.positions.length === total;
        const logits = options.logits === 'all' ? 'all' : isLast ? 'last' : 'none';
        const computed = await this.#decoder.prefill(
          { chunk, cache, image },
          { logits, lowRank, tap, queryTap: isLast ? queryTap : undefined, signal },
        );
        onTokens?.(cache.length, total);
        if (isLast) return computed;
        yield;
      }
    } finally {
      if (readsVision) this.engine.evictPages(this.#matrices['vision experts'].flat());
    }
  }

  /**
   * Runs one token of each of several sequences. It reads only language weights, once for all sequences of an adapter.
   * @returns logits [vocab] of each sequence. They do not depend on the other sequences.
   */
  async decode(steps: readonly DecodeStep[]): Promise<Float32Array[]> {
    const { vocabSize } = this.config;
    const results = new Map<DecodeStep, Float32Array>();
    for (const adapter of new Set(steps.map((step) => step.adapter ?? ''))) {
      const alike = steps.filter((step) => (step.adapter ?? '') === adapter);
      const logits = await this.#decoder.decode(alike, this.#lowRankOf(adapter));
      for (const [i, step] of alike.entries())
        results.set(step, logits.subarray(i * vocabSize, (i + 1) * vocabSize));
    }
    return steps.map((step) => results.get(step) ?? new Float32Array(0));
  }

  /** Keys [start, end) of one key/value head in one layer of a cache: f32 [end - start, headSize]. */
  async readKeys(cache: KvCache, range: KeyRange): Promise<Float32Array> {
    return this.engine.exclusively(async () => cache.readKeys(range));
  }

  /** Runs one token of one sequence. @returns logits [vocab] */
  async step(id: number, position: number, cache: KvCache, adapter?: string): Promise<Float32Array> {
    const [logits] = await this.decode([{ id, position, cache, adapter }]);
    return logits ?? new Float32Array(0);
  }

  #lowRankOf(adapter = ''): LowRankTerms {
    const terms = this.#lowRank.get(adapter);
    if (terms || adapter === '') return terms ?? noTerms;
    throw new CogVLM2Error('engine_bug', `No adapter named ${adapter} was loaded.`);
  }

  [Symbol.dispose](): void {
    this.engine[Symbol.dispose]();
  }
}

const noTerms: LowRankTerms = new Map();

async function runToEnd<T>(work: AsyncGenerator<void, T>): Promise<T> {
  for (;;) {
    const { done, value } = await work.next();
    if (done) return value;
  }
}
