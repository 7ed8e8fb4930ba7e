import type { Weights } from '../checkpoint/weights.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { ModelConfig } from './config.ts';
import { DecoderLayer, type RowSelection, type Rows } from './decoder-layer.ts';
import { Linear, RmsNorm } from './layers.ts';

/** How some rows go through the decoder: which rows, in which graphs. See prompt-pass.ts and step-graph.ts. */
export interface DecoderPass {
  /** The graph that is being built. It may change with `enterLayer`. */
  readonly graph: Graph;
  readonly rows: Rows;
  /** The rows whose logits are wanted. */
  readonly select: RowSelection;
  /** The input rows [H, n], some of them from the embedding table [H, vocab]. */
  embed(table: Tensor): Tensor;
  /** @returns x [H, n] for the graph that the layer is built in */
  enterLayer(index: number, x: Tensor): Promise<Tensor>;
  /** Keeps an intermediate result for comparisons; see `Tap`. */
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
