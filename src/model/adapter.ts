import type { Weights } from '../checkpoint/weights.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { ModelConfig } from './config.ts';
import { LayerNorm, Linear } from './layers.ts';

/** PyTorch's default, which the published code uses for this norm instead of the config's value. */
const normEps = 1e-5;
/** Windows of one operation. An abort takes effect between two operations, so none may take long. */
const tileWindows = 512;

/** Tower features to image tokens: the 2x2 convolution, the GLU projection, boi and eoi around them. */
export class Adapter {
  readonly #side: number;
  readonly #convolution: Tensor;
  readonly #convolutionBias: Tensor;
  readonly #linearProj: Linear;
  readonly #norm: LayerNorm;
  readonly #gate: Linear;
  readonly #up: Linear;
  readonly #down: Linear;
  readonly #boi: Tensor;
  readonly #eoi: Tensor;

  constructor(weights: Weights, { hiddenSize, intermediateSize, vision }: ModelConfig) {
    const d = vision.hiddenSize;
    this.#side = vision.side;
    const kernel = weights.matrix('conv.weight', d, d, 2, 2); // ggml: [2, 2, D in, D out]
    // To [D in, 4, D out], so that the four patches under the kernel are one row of the input.
    this.#convolution = weights.derived(kernel.type, [4 * d, d], (ops) =>
      ops.reshape(ops.contiguous(ops.permute(ops.reshape(kernel, 4, d, d), 1, 0, 2, 3)), 4 * d, d),
    );
    this.#convolutionBias = weights.vector('conv.bias', d);
    const glu = weights.at('linear_proj');
    this.#linearProj = new Linear(glu, 'linear_proj', d, hiddenSize);
    this.#norm = new LayerNorm(glu, 'norm1', hiddenSize, normEps);
    this.#gate = new Linear(glu, 'gate_proj', hiddenSize, intermediateSize);
    this.#up = new Linear(glu, 'dense_h_to_4h', hiddenSize, intermediateSize);
    this.#down = new Linear(glu, 'dense_4h_to_h', intermediateSize, hiddenSize);
    this.#boi = weights.vector('boi', 1, 1, hiddenSize);
    this.#eoi = weights.vector('eoi', 1, 1, hiddenSize);
  }

  /** x [D, patches + 1], class token first -> the convolution's rows [D, P/4] and the image tokens [H, P/4 + 2]. */
  forward(graph: Graph, x: Tensor): { convolved: Tensor; imageTokens: Tensor } {
    const order = convolutionOrder(this.#side);
    const tiles: { convolved: Tensor; rows: Tensor }[] = [];
    for (let start = 0; start < order.length; start += tileWindows * 4) {
      tiles.push(this.#forwardTile(graph, x, order.slice(start, start + tileWindows * 4)));
    }
    const join = (parts: Tensor[]) => parts.reduce((above, below) => graph.concatRows(above, below));
    const edge = (token: Tensor) => graph.reshape(token, token.shape[0], 1);
    return {
      convolved: join(tiles.map(({ convolved }) => convolved)),
      imageTokens: join([edge(this.#boi), ...tiles.map(({ rows }) => rows), edge(this.#eoi)]),
    };
  }

  /** The windows whose patches `order` lists: [D, n] and [H, n]. */
  #forwardTile(graph: Graph, x: Tensor, order: Int32Array): { convolved: Tensor; rows: Tensor } {
    const [d, n] = [x.shape[0], order.length / 4];
    const patches = graph.getRows(x, graph.input('i32', [order.length], order)); // [D, 4 n]
    const windows = graph.reshape(patches, 4 * d, n);
    const convolved = graph.add(graph.mulMat(this.#convolution, windows), this.#convolutionBias); // [D, n]
    const projected = graph.gelu(this.#norm.forward(graph, this.#linearProj.forward(graph, convolved))); // [H, n]
    const mixed = graph.swiglu(this.#gate.forward(graph, projected), this.#up.forward(graph, projected));
    return { convolved, rows: this.#down.forward(graph, mixed) };
  }
}

/**
 * Row numbers of the tower's output (row 0 is the class token) in the order that puts the four patches of each 2x2 window next
 * to each other: top left, top right, bottom left, bottom right. An odd side loses its last row and column, as in a
 * convolution of stride 2.
 */
function convolutionOrder(side: number): Int32Array {
  const half = Math.floor(side / 2);
  const order = new Int32Array(half * half * 4);
  for (let window = 0; window < half * half; window++) {
    const corner = 1 + Math.floor(window / half) * 2 * side + (window % half) * 2;
    order.set([corner, corner + 1, corner + side, corner + side + 1], window * 4);
  }
  return order;
}
