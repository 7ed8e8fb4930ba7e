import type { Weights } from '../checkpoint/weights.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Ops } from '../ggml/ops.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { BatchAttention } from './batch-attention.ts';
import type { Expert } from './chunks.ts';
import type { ModelConfig } from './config.ts';
import { Linear, RmsNorm } from './layers.ts';
import { queriesName, type TappedRows } from './taps.ts';

/** One run of some rows through the decoder: which rows, in which graphs. See prompt-pass.ts and step-graph.ts. */
export interface DecoderPass {
  /** The graph under construction. `enterLayer` may replace it. */
  readonly graph: Graph;
  readonly rows: Rows;
  /** Selects the rows that need logits. */
  readonly select: RowSelection;
  /** The input rows [H, n]; rows of text are looked up in the embedding table [H, vocab]. */
  embed(table: Tensor): Tensor;
  /** @returns x [H, n] in the graph that contains the layer */
  enterLayer(index: number, x: Tensor): Promise<Tensor>;
  /** Records an intermediate result for comparisons; see `Tap`. */
  tap(name: string, x: Tensor): void;
}

const everyRow: RowSelection = (_, x) => x;

/** Llama-3's decoder with two experts in every layer. Shapes are ggml's: [width, rows]. */
export class Decoder {
  readonly #embedTokens: Tensor;
  readonly #layers: DecoderLayer[];
  readonly #norm: RmsNorm;
  readonly #lmHead: Linear;

  constructor(weights: Weights, config: ModelConfig) {
    const { hiddenSize, vocabSize, normEps, layers } = config;
    this.#embedTokens = weights.matrix('model.embed_tokens.weight', vocabSize, hiddenSize);
    this.#layers = Array.from(
      { length: layers },
      (_, i) => new DecoderLayer(weights.at('model.layers', i), config, i),
    );
    this.#norm = new RmsNorm(weights.at('model'), 'norm', hiddenSize, normEps);
    this.#lmHead = new Linear(weights, 'lm_head', hiddenSize, vocabSize);
  }

  /** Embedding, layers, norm, head. @returns logits [vocab, selected rows], in the pass's last graph */
  async forward(pass: DecoderPass): Promise<Tensor> {
    let x = pass.embed(this.#embedTokens); // [H, n]
    for (const [i, layer] of this.#layers.entries()) {
      x = await pass.enterLayer(i, x);
      pass.tap(`hidden.${i}`, x);
      const isLast = i === this.#layers.length - 1;
      x = layer.forward(pass.graph, x, pass.rows, isLast ? pass.select : everyRow);
    }
    const normed = this.#norm.forward(pass.graph, x); // [H, selected rows]
    pass.tap(`hidden.${this.#layers.length}`, normed);
    return this.#lmHead.forward(pass.graph, normed);
  }
}

/** Properties of the n rows that every layer needs. The rows belong to one or several sequences. */
export interface Rows {
  expert: Expert;
  /** i32 [n] */
  positions: Tensor;
  attention: BatchAttention;
  /** Rows whose queries are outputs of the graph. */
  tapped?: TappedRows | undefined;
}

/** Selects rows of x [width, n]. */
export type RowSelection = (graph: Graph, x: Tensor) => Tensor;

/** Weights of each expert. Models without vision experts use the language expert for both. */
type ByExpert<T> = Readonly<Record<Expert, T>>;

function byExpert<T>({ hasVisionExperts }: ModelConfig, make: (expert: Expert) => T): ByExpert<T> {
  const language = make('language');
  return { language, vision: hasVisionExperts ? make('vision') : language };
}

/** Attention and an MLP, each with an expert for text and, in most models, one for images. All rows of a graph use the same expert. */
export class DecoderLayer {
  readonly #inputNorm: RmsNorm;
  readonly #attention: Attention;
  readonly #postNorm: RmsNorm;
  readonly #mlp: ByExpert<Mlp>;

  constructor(weights: Weights, config: ModelConfig, index: number) {
    const { hiddenSize, normEps } = config;
    this.#inputNorm = new RmsNorm(weights, 'input_layernorm', hiddenSize, normEps);
    this.#attention = new Attention(weights.at('self_attn'), config, index);
    this.#postNorm = new RmsNorm(weights, 'post_attention_layernorm', hiddenSize, normEps);
    this.#mlp = byExpert(config, (expert) => new Mlp(weights.at(`mlp.${expert}_mlp`), config));
  }

  /** @param select the rows of the result. The other rows only append their keys and values */
  forward(graph: Graph, x: Tensor, rows: Rows, select: RowSelection): Tensor {
    const attended = this.#attention.forward(graph, this.#inputNorm.forward(graph, x), rows, select);
    const y = graph.add(select(graph, x), attended);
    return graph.add(y, this.#mlp[rows.expert].forward(graph, this.#postNorm.forward(graph, y)));
  }
}

class Attention {
  readonly #config: ModelConfig;
  readonly #layer: number;
  readonly #queryKeyValue: ByExpert<Linear>;
  readonly #dense: ByExpert<Linear>;
  readonly #ropeFactors: Tensor;

  constructor(weights: Weights, config: ModelConfig, layer: number) {
    const { hiddenSize, headSize, heads, kvHeads, hasVisionBias, ropeBase } = config;
    this.#config = config;
    this.#layer = layer;
    const outputs = (heads + 2 * kvHeads) * headSize;
    // Only the vision expert of CogVLM2 has a bias here.
    this.#queryKeyValue = byExpert(
      config,
      (expert) =>
        new Linear(weights, `${expert}_expert_query_key_value`, hiddenSize, outputs, {
          bias: expert === 'vision' && hasVisionBias,
        }),
    );
    this.#dense = byExpert(
      config,
      (expert) => new Linear(weights, `${expert}_expert_dense`, hiddenSize, hiddenSize),
    );
    const table = 'rotary_emb.inv_freq';
    const stored = weights.has(table) ? weights.numbers(table, headSize / 2) : undefined;
    this.#ropeFactors = weights.constant(ropeFactors(headSize, ropeBase, stored), [headSize / 2]);
  }

  forward(graph: Graph, x: Tensor, rows: Rows, select: RowSelection): Tensor {
    const { headSize, heads, kvHeads, ropeBase } = this.#config;
    const qkv = this.#queryKeyValue[rows.expert].forward(graph, x); // [(heads + 2 kvHeads) headSize, n]
    const [q, k, v] = graph.splitHeads(qkv, headSize, [heads, kvHeads, kvHeads]);
    const rotated = (part: Tensor) => graph.rope(part, rows.positions, this.#ropeFactors, ropeBase);
    const queries = rotated(q); // [headSize, heads, n]
    const { tapped } = rows;
    if (tapped?.layers.includes(this.#layer))
      graph.output(queriesName(this.#layer), graph.slices(queries, tapped.first, tapped.count));
    const o = rows.attention.attend(graph, this.#layer, queries, rotated(k), v); // [H, n]
    return this.#dense[rows.expert].forward(graph, select(graph, o));
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
 * ggml rotates pair i by position * base^(-2i/d) / factor. These factors reproduce the frequencies that the checkpoint
 * stores; they are 1 if it stores none.
 */
function ropeFactors(headSize: number, ropeBase: number, invFreq: Float32Array | undefined): Float32Array {
  return Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const stored = invFreq?.[i];
    return stored ? ropeBase ** ((-2 * i) / headSize) / stored : 1;
  });
}
