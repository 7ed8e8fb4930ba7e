import type { Weights } from '../checkpoint/weights.ts';
import type { Engine } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { Ops } from '../ggml/ops.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { VisionConfig } from './config.ts';
import { LayerNorm, Linear } from './layers.ts';
import { State } from './state.ts';
import type { Tap } from './trace-tap.ts';

export interface TowerOptions {
  signal?: AbortSignal | undefined;
  onLayer?: ((done: number, total: number) => void) | undefined;
  tap?: Tap | undefined;
}

/**
 * EVA2-CLIP-E: patches to features. Norms sit on each sub-layer's output, inside the residual branch; there is
 * no norm at the end. n = patches + 1 rows, the class token first.
 */
export class VisionTower {
  readonly #engine: Engine;
  readonly #config: VisionConfig;
  readonly #patchEmbedding: PatchEmbedding;
  readonly #layers: TowerLayer[];

  constructor(engine: Engine, weights: Weights, config: VisionConfig, exact: boolean) {
    this.#engine = engine;
    this.#config = config;
    this.#patchEmbedding = new PatchEmbedding(weights.at('patch_embedding'), config);
    this.#layers = Array.from(
      { length: config.layers },
      (_, i) => new TowerLayer(weights.at('transformer.layers', i), config, exact),
    );
  }

  /**
   * pixels [3, S, S] -> state `x` [D, n] on the device; the caller disposes it. One graph a layer keeps the
   * scratch memory to one layer's and lets `signal` stop within one; other work has its turn at each yield.
   */
  async *blocks(
    pixels: Float32Array,
    { signal, onLayer, tap }: TowerOptions,
  ): AsyncGenerator<void, State<'x'>> {
    const { hiddenSize, side, layers } = this.#config;
    const state = new State(this.#engine, [['x', 'f32', [hiddenSize, side * side + 1]] as const]);
    let complete = false;
    try {
      const step = async (name: string, build: (graph: Graph) => Tensor) => {
        signal?.throwIfAborted();
        const graph = new Graph(this.#engine);
        const y = build(graph);
        if (tap) graph.output(name, y);
        graph.effect(graph.copy(y, state.get('x')));
        for (const [tapped, data] of await graph.run()) tap?.(tapped, data);
      };
      await step('vision.patch_embedding', (graph) => this.#patchEmbedding.forward(graph, pixels));
      for (const [i, layer] of this.#layers.entries()) {
        await step(`vision.layer.${i}`, (graph) => layer.forward(graph, state.get('x')));
        onLayer?.(i + 1, layers);
        yield;
      }
      complete = true;
      return state;
    } finally {
      if (!complete) state[Symbol.dispose]();
    }
  }
}

/** A convolution whose stride is its kernel is one matrix product over the patches laid out as rows. */
class PatchEmbedding {
  readonly #config: VisionConfig;
  readonly #projection: Tensor;
  readonly #bias: Tensor;
  readonly #cls: Tensor;
  readonly #positions: Tensor;

  constructor(weights: Weights, config: VisionConfig) {
    const { hiddenSize, patchSize, side } = config;
    const inputs = 3 * patchSize * patchSize;
    this.#config = config;
    const kernel = weights.matrix('proj.weight', hiddenSize, 3, patchSize, patchSize);
    // 588 columns are no whole quantisation blocks and the product is small, so it is done in f32.
    this.#projection = weights.derived('f32', [inputs, hiddenSize], (ops) =>
      ops.reshape(kernel, inputs, hiddenSize),
    );
    this.#bias = weights.vector('proj.bias', hiddenSize);
    this.#cls = weights.vector('cls_embedding', 1, hiddenSize);
    this.#positions = weights.vector('position_embedding.weight', side * side + 1, hiddenSize);
  }

  forward(graph: Graph, pixels: Float32Array): Tensor {
    const { patchSize, side } = this.#config;
    const rows = patchRows(pixels, side, patchSize);
    const patches = graph.input('f32', [3 * patchSize * patchSize, side * side], rows); // [588, P]
    const embedded = graph.add(graph.mulMat(this.#projection, patches), this.#bias); // [D, P]
    return graph.add(graph.concatRows(this.#cls, embedded), this.#positions); // [D, P + 1]
  }
}

/** pixels [3, S, S] -> one row of 3 * patch * patch numbers a patch, in the order of the kernel: channel, y, x. */
export function patchRows(pixels: Float32Array, side: number, patchSize: number): Float32Array {
  const width = side * patchSize;
  const rows = new Float32Array(pixels.length);
  let at = 0;
  for (let patch = 0; patch < side * side; patch++) {
    const top = Math.floor(patch / side) * patchSize;
    const left = (patch % side) * patchSize;
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < patchSize; y++) {
        const from = (channel * width + top + y) * width + left;
        rows.set(pixels.subarray(from, from + patchSize), at);
        at += patchSize;
      }
    }
  }
  return rows;
}

class TowerLayer {
  readonly #attention: TowerAttention;
  readonly #inputNorm: LayerNorm;
  readonly #mlp: TowerMlp;
  readonly #postNorm: LayerNorm;

  constructor(weights: Weights, config: VisionConfig, exact: boolean) {
    const { hiddenSize, normEps } = config;
    this.#attention = new TowerAttention(weights.at('attention'), config, exact);
    this.#inputNorm = new LayerNorm(weights, 'input_layernorm', hiddenSize, normEps);
    this.#mlp = new TowerMlp(weights.at('mlp'), config);
    this.#postNorm = new LayerNorm(weights, 'post_attention_layernorm', hiddenSize, normEps);
  }

  forward(ops: Ops, x: Tensor): Tensor {
    const attended = ops.add(x, this.#inputNorm.forward(ops, this.#attention.forward(ops, x)));
    return ops.add(attended, this.#postNorm.forward(ops, this.#mlp.forward(ops, attended)));
  }
}

class TowerAttention {
  readonly #config: VisionConfig;
  readonly #keyType: 'f16' | 'f32';
  readonly #queryKeyValue: Linear;
  readonly #dense: Linear;

  constructor(weights: Weights, config: VisionConfig, exact: boolean) {
    const { hiddenSize } = config;
    this.#config = config;
    this.#keyType = exact ? 'f32' : 'f16';
    this.#queryKeyValue = new Linear(weights, 'query_key_value', hiddenSize, 3 * hiddenSize, { bias: true });
    this.#dense = new Linear(weights, 'dense', hiddenSize, hiddenSize, { bias: true });
  }

  forward(ops: Ops, x: Tensor): Tensor {
    const { hiddenSize, heads, headSize } = this.#config;
    const n = x.shape[1];
    const qkv = this.#queryKeyValue.forward(ops, x); // [3 D, n]: q | k | v
    const part = (index: number) => {
      const row = qkv.strides[1];
      const split = ops.view(qkv, [headSize, heads, n], [headSize * 4, row, row * n], index * hiddenSize * 4);
      return ops.permute(split, 0, 2, 1, 3); // [headSize, n, heads]
    };
    const [q, k, v] = [part(0), ops.cast(part(1), this.#keyType), ops.cast(part(2), this.#keyType)];
    const o = ops.attention(q, k, v, null, 1 / Math.sqrt(headSize)); // [headSize, heads, n]
    return this.#dense.forward(ops, ops.reshape(o, hiddenSize, n));
  }
}

class TowerMlp {
  readonly #fc1: Linear;
  readonly #fc2: Linear;

  constructor(weights: Weights, { hiddenSize, intermediateSize }: VisionConfig) {
    this.#fc1 = new Linear(weights, 'fc1', hiddenSize, intermediateSize, { bias: true });
    this.#fc2 = new Linear(weights, 'fc2', intermediateSize, hiddenSize, { bias: true });
  }

  forward(ops: Ops, x: Tensor): Tensor {
    return this.#fc2.forward(ops, ops.gelu(this.#fc1.forward(ops, x)));
  }
}
