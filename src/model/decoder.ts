import type { Weights } from '../checkpoint/weights.ts';
import { CogVLM2Error } from '../errors.ts';
import type { Engine } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { Ops } from '../ggml/ops.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { Chunk, Expert } from './chunks.ts';
import { type ModelConfig, ropeBase } from './config.ts';
import type { KvCache } from './kv-cache.ts';
import { Linear, RmsNorm } from './layers.ts';
import type { State } from './state.ts';
import type { Tap } from './trace-tap.ts';

/** What every layer needs to know of the chunk that it sees. */
interface Step {
  expert: Expert;
  cache: KvCache;
  /** i32 [n] */
  positions: Tensor;
  /** f16 [keys, n], 0 or -infinity; null when every key may be seen. */
  mask: Tensor | null;
}

export interface ForwardOptions {
  /** The whole prompt's image tokens [H, imageTokens], where the chunk has rows of them. */
  image: State<'imageTokens'> | null;
  /** Which rows need logits: only the last is ever sampled from, so lm_head skips the others. */
  logits: 'none' | 'last' | 'all';
  tap?: Tap | undefined;
}

/** Llama-3's decoder with two experts in every layer. n is the chunk's rows. */
export class Decoder {
  readonly #engine: Engine;
  readonly #embedTokens: Tensor;
  readonly #layers: DecoderLayer[];
  readonly #norm: RmsNorm;
  readonly #lmHead: Linear;

  constructor(engine: Engine, weights: Weights, config: ModelConfig) {
    const { hiddenSize, vocabSize, normEps, layers } = config;
    this.#engine = engine;
    this.#embedTokens = weights.matrix('model.embed_tokens.weight', vocabSize, hiddenSize);
    this.#layers = Array.from(
      { length: layers },
      (_, i) => new DecoderLayer(weights.at('model.layers', i), config, i),
    );
    this.#norm = new RmsNorm(weights.at('model'), 'norm', hiddenSize, normEps);
    this.#lmHead = new Linear(weights, 'lm_head', hiddenSize, vocabSize);
  }

  /**
   * Runs one chunk behind what the cache holds and adds it to the cache. All rows of a chunk meet the same
   * expert, and attend to everything before them whichever expert made it.
   * @returns logits [vocab] or [n, vocab], or an empty array.
   */
  async forward(chunk: Chunk, cache: KvCache, options: ForwardOptions): Promise<Float32Array> {
    const graph = new Graph(this.#engine);
    const n = chunk.positions.length;
    const step: Step = {
      expert: chunk.expert,
      cache,
      positions: graph.input('i32', [n], chunk.positions),
      mask: n === 1 ? null : graph.input('f16', [cache.length + n, n], causalMask(cache.length, n)),
    };
    const tap = (name: string, x: Tensor) => options.tap && graph.output(name, x);
    let x = this.#embed(graph, chunk, options.image); // [H, n]
    for (const [i, layer] of this.#layers.entries()) {
      tap(`hidden.${i}`, x);
      x = layer.forward(graph, x, step);
    }
    const rows = options.logits === 'last' ? graph.rows(x, n - 1, 1) : x;
    const normed = this.#norm.forward(graph, rows);
    if (options.logits !== 'none') {
      tap(`hidden.${this.#layers.length}`, normed);
      graph.output('logits', this.#lmHead.forward(graph, normed));
    }
    const results = await graph.run();
    cache.length += n;
    for (const [name, data] of results) options.tap?.(name, data);
    return results.get('logits') ?? new Float32Array(0);
  }

  #embed(graph: Graph, chunk: Chunk, image: State<'imageTokens'> | null): Tensor {
    const pieces = chunk.pieces.map((piece) => {
      if ('ids' in piece)
        return graph.getRows(this.#embedTokens, graph.input('i32', [piece.ids.length], piece.ids));
      if (!image) throw new CogVLM2Error('engine_bug', 'A chunk has image rows, but no image was given.');
      return graph.rows(image.get('imageTokens'), piece.imageRow, piece.count);
    });
    return pieces.reduce((left, right) => graph.concatRows(left, right));
  }
}

class DecoderLayer {
  readonly #inputNorm: RmsNorm;
  readonly #attention: Attention;
  readonly #postNorm: RmsNorm;
  readonly #mlp: Record<Expert, Mlp>;

  constructor(weights: Weights, config: ModelConfig, index: number) {
    const { hiddenSize, normEps } = config;
    this.#inputNorm = new RmsNorm(weights, 'input_layernorm', hiddenSize, normEps);
    this.#attention = new Attention(weights.at('self_attn'), config, index);
    this.#postNorm = new RmsNorm(weights, 'post_attention_layernorm', hiddenSize, normEps);
    this.#mlp = {
      language: new Mlp(weights.at('mlp.language_mlp'), config),
      vision: new Mlp(weights.at('mlp.vision_mlp'), config),
    };
  }

  forward(graph: Graph, x: Tensor, step: Step): Tensor {
    const attended = graph.add(x, this.#attention.forward(graph, this.#inputNorm.forward(graph, x), step));
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

  constructor(weights: Weights, config: ModelConfig, layer: number) {
    const { hiddenSize, headSize, heads, kvHeads } = config;
    this.#config = config;
    this.#layer = layer;
    const outputs = (heads + 2 * kvHeads) * headSize;
    // Only the vision expert's has a bias.
    const queryKeyValue = (expert: Expert) =>
      new Linear(weights, `${expert}_expert_query_key_value`, hiddenSize, outputs, {
        bias: expert === 'vision',
      });
    const dense = (expert: Expert) => new Linear(weights, `${expert}_expert_dense`, hiddenSize, hiddenSize);
    this.#queryKeyValue = { language: queryKeyValue('language'), vision: queryKeyValue('vision') };
    this.#dense = { language: dense('language'), vision: dense('vision') };
    const stored = weights.numbers('rotary_emb.inv_freq', headSize / 2);
    this.#ropeFactors = weights.constant(ropeFactors(headSize, stored));
  }

  forward(graph: Graph, x: Tensor, step: Step): Tensor {
    const { hiddenSize, headSize, heads, kvHeads } = this.#config;
    const n = x.shape[1];
    const qkv = this.#queryKeyValue[step.expert].forward(graph, x); // [(heads + 2 kvHeads) headSize, n]: q | k | v
    const part = (first: number, count: number) => {
      const row = qkv.strides[1];
      return graph.view(qkv, [headSize, count, n], [headSize * 4, row, row * n], first * headSize * 4);
    };
    const q = graph.rope(part(0, heads), step.positions, this.#ropeFactors, ropeBase); // [headSize, heads, n]
    const k = graph.rope(part(heads, kvHeads), step.positions, this.#ropeFactors, ropeBase);
    const v = part(heads + kvHeads, kvHeads);
    // The writes go into the graph before the reads; nothing else orders them.
    for (const write of step.cache.write(graph, this.#layer, k, v)) graph.effect(write);
    const [keys, values] = step.cache.read(graph, this.#layer, step.cache.length + n);
    const queries = graph.permute(q, 0, 2, 1, 3); // [headSize, n, heads]
    const o = graph.attention(queries, keys, values, step.mask, 1 / Math.sqrt(headSize)); // [headSize, heads, n]
    return this.#dense[step.expert].forward(graph, graph.reshape(o, hiddenSize, n));
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
