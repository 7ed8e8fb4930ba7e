import type { Weights } from '../checkpoint/weights.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { ModelConfig, VisionConfig } from './config.ts';
import { LayerNorm, Linear } from './layers.ts';

/** PyTorch's default, which the published code uses for this norm instead of the config's value. */
const normEps = 1e-5;
/** Image tokens of one operation. Operations are short, because an abort takes effect between two of them. */
const tileRows = 512;

/** Tower features to image tokens: in most models a 2x2 convolution, then the GLU projection, boi and eoi around them. */
export class Adapter {
  readonly #patches: number;
  readonly #convolution: Convolution | null;
  readonly #linearProj: Linear;
  readonly #norm: LayerNorm;
  readonly #gate: Linear;
  readonly #up: Linear;
  readonly #down: Linear;
  readonly #boi: Tensor;
  readonly #eoi: Tensor;

  constructor(weights: Weights, { hiddenSize, intermediateSize, vision, hasConvolution }: ModelConfig) {
    const d = vision.hiddenSize;
    this.#patches = vision.side ** 2;
    this.#convolution = hasConvolution ? new Convolution(weights.at('conv'), vision) : null;
    const glu = weights.at('linear_proj');
    this.#linearProj = new Linear(glu, 'linear_proj', d, hiddenSize);
    this.#norm = new LayerNorm(glu, 'norm1', hiddenSize, normEps);
    this.#gate = new Linear(glu, 'gate_proj', hiddenSize, intermediateSize);
    this.#up = new Linear(glu, 'dense_h_to_4h', hiddenSize, intermediateSize);
    this.#down = new Linear(glu, 'dense_4h_to_h', intermediateSize, hiddenSize);
    this.#boi = weights.vector('boi', 1, 1, hiddenSize);
    this.#eoi = weights.vector('eoi', 1, 1, hiddenSize);
  }

  /**
   * x [D, patches + 1], class token first -> the image tokens [H, n + 2] and, where there is a convolution, its rows [D, n].
   */
  forward(graph: Graph, x: Tensor): { convolved: Tensor | null; imageTokens: Tensor } {
    const rows = this.#convolution?.rows ?? this.#patches;
    const convolved: Tensor[] = [];
    const projected: Tensor[] = [];
    for (let start = 0; start < rows; start += tileRows) {
      const count = Math.min(tileRows, rows - start);
      const features = this.#convolution?.forward(graph, x, start, count) ?? graph.rows(x, 1 + start, count); // [D, count]
      if (this.#convolution) convolved.push(features);
      projected.push(this.#project(graph, features));
    }
    const join = (parts: Tensor[]) => parts.reduce((above, below) => graph.concatRows(above, below));
    const edge = (token: Tensor) => graph.reshape(token, token.shape[0], 1);
    return {
      convolved: convolved.length > 0 ? join(convolved) : null,
      imageTokens: join([edge(this.#boi), ...projected, edge(this.#eoi)]),
    };
  }

  /** Features [D, n] -> [H, n]. */
  #project(graph: Graph, features: Tensor): Tensor {
    const projected = graph.gelu(this.#norm.forward(graph, this.#linearProj.forward(graph, features))); // [H, n]
    const mixed = graph.swiglu(this.#gate.forward(graph, projected), this.#up.forward(graph, projected));
    return this.#down.forward(graph, mixed);
  }
}

/** A 2x2 convolution of stride 2: each window of four patches becomes one row. */
class Convolution {
  /** Windows; an odd side loses its last row and column. */
  readonly rows: number;
  readonly #width: number;
  readonly #order: Int32Array;
  readonly #kernel: Tensor;
  readonly #bias: Tensor;

  constructor(weights: Weights, { hiddenSize: d, side }: VisionConfig) {
    this.#width = d;
    this.#order = convolutionOrder(side);
    this.rows = this.#order.length / 4;
    const kernel = weights.matrix('weight', d, d, 2, 2); // ggml: [2, 2, D in, D out]
    // To [D in, 4, D out], so that the four patches under the kernel are one row of the input.
    this.#kernel = weights.derived(kernel.type, [4 * d, d], (ops) =>
      ops.reshape(ops.contiguous(ops.permute(ops.reshape(kernel, 4, d, d), 1, 0, 2, 3)), 4 * d, d),
    );
    this.#bias = weights.vector('bias', d);
  }

  /** x [D, patches + 1] -> the windows from `start` on: [D, count]. */
  forward(graph: Graph, x: Tensor, start: number, count: number): Tensor {
    const order = this.#order.slice(start * 4, (start + count) * 4);
    const patches = graph.getRows(x, graph.input('i32', [order.length], order)); // [D, 4 count]
    const windows = graph.reshape(patches, 4 * this.#width, count);
    return graph.add(graph.mulMat(this.#kernel, windows), this.#bias);
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
