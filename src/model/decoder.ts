import { freemem } from 'node:os';
import type { Weights } from '../checkpoint/weights.ts';
import { CogVLM2Error } from '../errors.ts';
import type { Engine } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { Ops } from '../ggml/ops.ts';
import { KeptWeights, PackedPass } from '../ggml/packed-weights.ts';
import { oneRowDiffers } from '../ggml/packing.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { Chunk, Expert } from './chunks.ts';
import { type ModelConfig, ropeBase } from './config.ts';
import type { KvCache } from './kv-cache.ts';
import { Linear, RmsNorm } from './layers.ts';
import { State } from './state.ts';
import type { Tap } from './trace-tap.ts';

/** Rows of one sequence, which are run behind what its cache holds. */
export interface Part {
  chunk: Chunk;
  cache: KvCache;
  /** The whole prompt's image tokens [H, imageTokens], where the chunk has rows of them. */
  image: State<'imageTokens'> | null;
}

/** What every layer needs to know of the rows that it sees: n rows of one or several sequences. */
interface Step {
  expert: Expert;
  /** i32 [n] */
  positions: Tensor;
  sequences: Sequence[];
  groups: number;
}

interface Sequence {
  cache: KvCache;
  rows: number;
  /** f16 [keys, rows], 0 or -infinity; null when every key may be seen. */
  mask: Tensor | null;
}

/** Some of the rows of x [width, n]. */
type Choice = (graph: Graph, x: Tensor) => Tensor;

export interface ForwardOptions {
  /** Which rows need logits: only the last of a part is ever sampled from, so lm_head skips the others. */
  logits: 'none' | 'last' | 'all';
  tap?: Tap | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Llama-3's decoder with two experts in every layer. The rows of several sequences go through its products together,
 * so that the weights are read once; each row attends to its own sequence. What else runs beside a row must not change
 * its numbers, to the last bit, although ggml has other kernels for other shapes; see `pairs`, `groups` and chunks.ts.
 */
export class Decoder {
  readonly #engine: Engine;
  readonly #embedTokens: Tensor;
  readonly #layers: DecoderLayer[];
  readonly #norm: RmsNorm;
  readonly #lmHead: Linear;
  /** One row of what ggml multiplies by another kernel than two and more goes as a pair. */
  readonly #pairs: boolean;
  /**
   * ggml divides one row's attention over long caches among its threads. With the heads in two groups it does not,
   * and rounds as it does for the rows of a prompt.
   */
  readonly #groups: number;
  /** Every decode step's, packed for good where there is memory for it. */
  readonly #languageWeights: KeptWeights;
  /** Each layer's matrices of the vision expert. */
  readonly visionMatrices: Tensor[][] = [];
  readonly #packsVision: boolean;
  readonly #hiddenSize: number;

  constructor(
    engine: Engine,
    weights: Weights,
    config: ModelConfig,
    { oneSequence }: { oneSequence: boolean },
  ) {
    const { hiddenSize, vocabSize, normEps, layers } = config;
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
    this.#groups = engine.device.kind === 'cpu' && config.kvHeads % 2 === 0 ? 2 : 1;
    this.#languageWeights = new KeptWeights(engine, language, {
      freeBytes: freemem(),
      alikeOnly: !oneSequence,
    });
    this.#pairs = language.some((weight) => oneRowDiffers(weight.type) && !this.#languageWeights.has(weight));
    this.#packsVision = this.visionMatrices.flat().some((weight) => engine.packing?.bufferTypeFor(weight));
    this.#hiddenSize = hiddenSize;
  }

  /**
   * Runs each part behind what its cache holds and adds it to the cache. All rows meet the same expert, and attend to
   * everything before them in their sequence, whichever expert made it.
   * @param parts one of several rows, or several of one row each
   * @returns logits [parts, vocab] (the last rows') or [n, vocab], or an empty array.
   */
  async forward(parts: readonly Part[], options: ForwardOptions): Promise<Float32Array> {
    const pair = this.#pairs && parts.length === 1 && rowsOf(parts[0]) === 1;
    const padded = pair ? [...parts, ...parts] : parts;
    const n = padded.reduce((sum, part) => sum + rowsOf(part), 0);
    const real = pair ? 1 : n;
    const isVision = parts[0]?.chunk.expert === 'vision';
    const count = options.logits === 'last' ? parts.length : real;
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
      let step = this.#step(graph, parts, padded);
      let logits: Float32Array = new Float32Array(0);
      const run = async () => {
        for (const [name, data] of await graph.run(options.signal)) {
          if (name === 'logits') logits = data;
          options.tap?.(name, data);
        }
      };
      const tap = (name: string, x: Tensor) => options.tap && graph.output(name, x);
      let x = this.#embed(graph, padded); // [H, n]
      for (const [i, layer] of this.#layers.entries()) {
        if (pass && between && i > 0) {
          graph.effect(graph.copy(x, between.get('x')));
          await run();
          graph = new Graph(this.#engine, await pass.ready(i));
          step = this.#step(graph, parts, padded);
          x = between.get('x');
        }
        tap(`hidden.${i}`, graph.rows(x, 0, real));
        x = layer.forward(graph, x, step, i === this.#layers.length - 1 && !options.tap ? wanted : all);
      }
      // Without logits nothing asks for more than the keys and values that the layers leave in the cache.
      if (options.logits !== 'none') {
        const normed = this.#norm.forward(graph, options.tap ? wanted(graph, x) : x);
        tap(`hidden.${this.#layers.length}`, graph.rows(normed, 0, count));
        graph.output('logits', graph.rows(this.#lmHead.forward(graph, normed), 0, count));
      }
      await run();
      for (const part of parts) part.cache.length += rowsOf(part);
      return logits;
    } finally {
      await pass?.end();
      between?.[Symbol.dispose]();
    }
  }

  #step(graph: Graph, parts: readonly Part[], padded: readonly Part[]): Step {
    const positions = Int32Array.from(padded.flatMap(({ chunk }) => [...chunk.positions]));
    return {
      expert: parts[0]?.chunk.expert ?? 'language',
      positions: graph.input('i32', [positions.length], positions),
      sequences: parts.map((part) => sequenceOf(graph, part)),
      groups: this.#groups,
    };
  }

  #embed(graph: Graph, parts: readonly Part[]): Tensor {
    const pieces: Tensor[] = [];
    let ids: number[] = [];
    const flush = () => {
      if (ids.length === 0) return;
      const rows = graph.input('i32', [ids.length], Int32Array.from(ids));
      pieces.push(graph.getRows(this.#embedTokens, rows));
      ids = [];
    };
    for (const { chunk, image } of parts) {
      for (const piece of chunk.pieces) {
        if ('ids' in piece) {
          ids.push(...piece.ids);
          continue;
        }
        flush();
        if (!image) throw new CogVLM2Error('engine_bug', 'A chunk has image rows, but no image was given.');
        pieces.push(graph.rows(image.get('imageTokens'), piece.imageRow, piece.count));
      }
    }
    flush();
    return pieces.reduce((left, right) => graph.concatRows(left, right));
  }
}

function rowsOf(part: Part | undefined): number {
  return part?.chunk.positions.length ?? 0;
}

function sequenceOf(graph: Graph, part: Part): Sequence {
  const { cache } = part;
  const rows = rowsOf(part);
  const mask =
    rows === 1 ? null : graph.input('f16', [cache.length + rows, rows], causalMask(cache.length, rows));
  return { cache, rows, mask };
}

class DecoderLayer {
  readonly #inputNorm: RmsNorm;
  readonly #attention: Attention;
  readonly #postNorm: RmsNorm;
  readonly #mlp: Record<Expert, Mlp>;

  /** @param matrices where each expert's are added */
  constructor(weights: Weights, config: ModelConfig, index: number, matrices: Record<Expert, Tensor[]>) {
    const { hiddenSize, normEps } = config;
    this.#inputNorm = new RmsNorm(weights, 'input_layernorm', hiddenSize, normEps);
    this.#attention = new Attention(weights.at('self_attn'), config, index, matrices);
    this.#postNorm = new RmsNorm(weights, 'post_attention_layernorm', hiddenSize, normEps);
    this.#mlp = {
      language: new Mlp(weights.at('mlp.language_mlp').into(matrices.language), config),
      vision: new Mlp(weights.at('mlp.vision_mlp').into(matrices.vision), config),
    };
  }

  /** @param choice of the rows that go on; the others only leave their keys and values. */
  forward(graph: Graph, x: Tensor, step: Step, choice: Choice): Tensor {
    const mixed = this.#attention.forward(graph, this.#inputNorm.forward(graph, x), step, choice);
    const attended = graph.add(choice(graph, x), mixed);
    return graph.add(
      attended,
      this.#mlp[step.expert].forward(graph, this.#postNorm.forward(graph, attended)),
    );
  }
}

class Attention {
  readonly #config: ModelConfig;
  readonly #layer: number;
  readonly #queryKeyValue: Record<Expert, Linear>;
  readonly #dense: Record<Expert, Linear>;
  readonly #ropeFactors: Tensor;

  constructor(weights: Weights, config: ModelConfig, layer: number, matrices: Record<Expert, Tensor[]>) {
    const { hiddenSize, headSize, heads, kvHeads } = config;
    this.#config = config;
    this.#layer = layer;
    const outputs = (heads + 2 * kvHeads) * headSize;
    // Only the vision expert's has a bias.
    const queryKeyValue = (expert: Expert) =>
      new Linear(weights.into(matrices[expert]), `${expert}_expert_query_key_value`, hiddenSize, outputs, {
        bias: expert === 'vision',
      });
    const dense = (expert: Expert) =>
      new Linear(weights.into(matrices[expert]), `${expert}_expert_dense`, hiddenSize, hiddenSize);
    this.#queryKeyValue = { language: queryKeyValue('language'), vision: queryKeyValue('vision') };
    this.#dense = { language: dense('language'), vision: dense('vision') };
    const table = 'rotary_emb.inv_freq';
    const stored = weights.has(table) ? weights.numbers(table, headSize / 2) : undefined;
    this.#ropeFactors = weights.constant(ropeFactors(headSize, stored), [headSize / 2]);
  }

  forward(graph: Graph, x: Tensor, step: Step, choice: Choice): Tensor {
    const { headSize, heads, kvHeads } = this.#config;
    const n = x.shape[1];
    const qkv = this.#queryKeyValue[step.expert].forward(graph, x); // [(heads + 2 kvHeads) headSize, n]: q | k | v
    const part = (first: number, count: number) => {
      const row = qkv.strides[1];
      return graph.view(qkv, [headSize, count, n], [headSize * 4, row, row * n], first * headSize * 4);
    };
    const q = graph.rope(part(0, heads), step.positions, this.#ropeFactors, ropeBase); // [headSize, heads, n]
    const flat = (x: Tensor) => graph.reshape(x, headSize * kvHeads, n);
    const k = flat(graph.rope(part(heads, kvHeads), step.positions, this.#ropeFactors, ropeBase));
    const v = flat(graph.contiguous(part(heads + kvHeads, kvHeads)));
    const outputs: Tensor[] = [];
    let first = 0;
    for (const sequence of step.sequences) {
      outputs.push(this.#attend(graph, q, k, v, first, sequence, step.groups));
      first += sequence.rows;
    }
    // The other of a pair is read by nobody.
    while (first++ < n) outputs.push(...outputs.slice(0, 1));
    const o = outputs.reduce((a, b) => graph.concatRows(a, b)); // [H, n]
    return this.#dense[step.expert].forward(graph, choice(graph, o));
  }

  /** Rows from `first` on of q [headSize, heads, n], k and v [headSize * kvHeads, n], of one sequence -> [H, rows]. */
  #attend(
    graph: Graph,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    first: number,
    { cache, rows, mask }: Sequence,
    groups: number,
  ): Tensor {
    const { hiddenSize, headSize, heads } = this.#config;
    // The writes go into the graph before the reads; nothing else orders them.
    for (const write of cache.write(graph, this.#layer, k, v, first, rows)) graph.effect(write);
    const split = rows === 1 ? groups : 1;
    const [keys, values] = cache.read(graph, this.#layer, cache.length + rows, split);
    const [, head, row] = q.strides;
    const perGroup = heads / split;
    const sizes = [headSize, rows, perGroup, split];
    const queries = graph.view(q, sizes, [row, head, head * perGroup], first * row); // [headSize, rows, heads / split, split]
    const o = graph.attention(queries, keys, values, mask, 1 / Math.sqrt(headSize));
    return graph.reshape(o, hiddenSize, rows);
  }
}

class Mlp {
  readonly #gate: Linear;
  readonly #up: Linear;
  readonly #down: Linear;

  constructor(weights: Weights, { hiddenSize, intermediateSize }: ModelConfig) {
    this.#gate = new Linear(weights, 'gate_proj', hiddenSize, intermediateSize);
    this.#up = new Linear(weights, 'up_proj', hiddenSize, intermediateSize);
    this.#down = new Linear(weights, 'down_proj', intermediateSize, hiddenSize);
  }

  forward(ops: Ops, x: Tensor): Tensor {
    return this.#down.forward(ops, ops.swiglu(this.#gate.forward(ops, x), this.#up.forward(ops, x)));
  }
}

/**
 * ggml turns pair i by position * base^(-2i/d) / factor: the factors that make these the checkpoint's own
 * frequencies, or ones where it has none.
 */
export function ropeFactors(headSize: number, invFreq: Float32Array | undefined): Float32Array {
  return Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const stored = invFreq?.[i];
    return stored ? ropeBase ** ((-2 * i) / headSize) / stored : 1;
  });
}

/** [n][past + n] as f16 bits: row i of the chunk sees everything before it and itself. */
export function causalMask(past: number, n: number): Uint16Array {
  const minusInfinity = 0xfc00;
  const keys = past + n;
  const mask = new Uint16Array(keys * n);
  for (let row = 0; row < n; row++) mask.fill(minusInfinity, row * keys + past + row + 1, (row + 1) * keys);
  return mask;
}
