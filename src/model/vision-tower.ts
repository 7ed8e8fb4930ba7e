import type { Weights } from '../checkpoint/weights.ts';
import { type Engine, type Processor, TensorSet } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { LowRankTerms, Ops } from '../ggml/ops.ts';
import { PackedPass } from '../ggml/packed-weights.ts';
import { isMatrix, type Tensor } from '../ggml/tensor.ts';
import type { AttentionKernel } from '../kernels/attention.ts';
import { pixelNumbers, towerRows, type VisionConfig } from './config.ts';
import { GgmlFullAttention } from './ggml-attention.ts';
import { LayerNorm, Linear } from './layers.ts';
import { PackedFullAttention } from './packed-attention.ts';
import { matricesByPart } from './parts.ts';
import { resizePositions } from './positions-resize.ts';
import type { Tap } from './taps.ts';

export interface TowerOptions {
  /** Name of the adapter that the image is encoded for; see `Model.load`. */
  adapter?: string | undefined;
  signal?: AbortSignal | undefined;
  /** `done` counts the layers of all frames, and the finished part of the current one as a fraction. */
  onLayer?: ((done: number, total: number) => void) | undefined;
  tap?: Tap | undefined;
}

/** Rows of a graph. More rows are no faster. With this number, an abort takes effect within a second. */
export const towerTileRows = 1024;

/** Queries, keys and values of all rows of a layer. */
type FullAttention = PackedFullAttention | GgmlFullAttention;

/**
 * EVA2-CLIP-E: patches to features. Norms are on each sub-layer's output, inside the residual branch; there is
 * no norm at the end. n = patches + 1 rows, the class token first.
 */
export class VisionTower {
  readonly #engine: Engine;
  readonly #config: VisionConfig;
  readonly #isFloat32: boolean;
  /** null: ggml's attention */
  readonly #kernel: AttentionKernel | null;
  /** The processor of the activations between layers. */
  readonly #processor: Processor;
  readonly #patchEmbedding: PatchEmbedding;
  readonly #layers: TowerLayer[];
  /** Each layer's matrices, packed before the layer runs. */
  readonly #matrices: readonly Tensor[][];

  constructor(
    engine: Engine,
    weights: Weights,
    config: VisionConfig,
    options: { isFloat32: boolean; processor: Processor; kernel: AttentionKernel | null },
  ) {
    this.#engine = engine;
    this.#config = config;
    this.#processor = options.processor;
    this.#isFloat32 = options.isFloat32;
    this.#kernel = options.processor === 'gpu' ? null : options.kernel;
    this.#patchEmbedding = new PatchEmbedding(weights.at('patch_embedding'), config);
    this.#layers = Array.from(
      { length: config.layers },
      (_, i) => new TowerLayer(weights.at('transformer.layers', i), config),
    );
    this.#matrices = matricesByPart(weights.matrices).tower.map((layer) => layer.filter(isMatrix));
  }

  /**
   * pixels [frames, 3, S, S] -> `x` [D, frames * n] on the device; the caller disposes it. A graph computes a tile of rows of one
   * layer. That keeps the scratch memory small, and `signal` takes effect soon. Other work can run at each yield. A layer
   * computes all frames before the next layer, so that its weights are read and packed once.
   */
  async *blocks(
    pixels: Float32Array,
    { signal, onLayer, tap }: TowerOptions,
    lowRank: LowRankTerms,
  ): AsyncGenerator<void, TensorSet<'x'>> {
    const { hiddenSize, layers } = this.#config;
    const n = towerRows(this.#config);
    const size = pixelNumbers(this.#config);
    const frames = pixels.length / size;
    const sizes = [hiddenSize, frames * n];
    const state = new TensorSet(this.#engine, [['x', 'f32', sizes] as const], this.#processor);
    const attention = this.#newAttention(n);
    const run = async (graph: Graph) => {
      for (const [name, data] of await graph.run(signal)) tap?.(name, data);
    };
    const x = state.get('x');
    const pass = new PackedPass(this.#engine, this.#matrices);
    let complete = false;
    try {
      for (let frame = 0; frame < frames; frame++) {
        const graph = new Graph(this.#engine);
        const rows = graph.rows(x, frame * n, n);
        const framePixels = pixels.subarray(frame * size, (frame + 1) * size);
        graph.effect(graph.copy(this.#patchEmbedding.forward(graph, framePixels), rows));
        if (tap) graph.output('vision.patch_embedding', rows);
        await run(graph);
      }
      for (const [i, layer] of this.#layers.entries()) {
        const packed = await pass.ready(i);
        for (let frame = 0; frame < frames; frame++) {
          signal?.throwIfAborted();
          let graph = new Graph(this.#engine, packed, lowRank);
          const tile = (start: number) =>
            graph.rows(x, frame * n + start, Math.min(towerTileRows, n - start));
          for (let start = 0; start < n; start += towerTileRows)
            layer.project(graph, tile(start), attention, start);
          for (let start = 0; start < n; start += towerTileRows) {
            // With a single tile, one graph computes the layer.
            if (n > towerTileRows) {
              await run(graph);
              onLayer?.(i * frames + frame + start / n, layers * frames);
              graph = new Graph(this.#engine, packed, lowRank);
            }
            layer.forward(graph, tile(start), attention, start);
          }
          if (tap) graph.output(`vision.layer.${i}`, graph.rows(x, frame * n, n));
          await run(graph);
          onLayer?.(i * frames + frame + 1, layers * frames);
          yield;
        }
      }
      complete = true;
      return state;
    } finally {
      await pass.end();
      attention[Symbol.dispose]();
      if (!complete) state[Symbol.dispose]();
    }
  }

  #newAttention(rows: number): FullAttention {
    const { headSize, heads, hiddenSize } = this.#config;
    return this.#kernel
      ? new PackedFullAttention(this.#engine, this.#kernel, { rows, width: hiddenSize })
      : new GgmlFullAttention(
          this.#engine,
          { headSize, heads, kvHeads: heads },
          { rows, isFloat32: this.#isFloat32, processor: this.#processor },
        );
  }
}

/** A convolution whose stride equals its kernel is a matrix product with the patches as rows. */
class PatchEmbedding {
  readonly #config: VisionConfig;
  readonly #projection: Tensor;
  readonly #bias: Tensor;
  readonly #cls: Tensor;
  readonly #positions: Tensor;

  constructor(weights: Weights, config: VisionConfig) {
    const { hiddenSize, patchSize } = config;
    const inputs = 3 * patchSize * patchSize;
    this.#config = config;
    const kernel = weights.matrix('proj.weight', hiddenSize, 3, patchSize, patchSize);
    // 588 columns are not a multiple of a quantization block. The product is small, so it is computed in f32.
    this.#projection = weights.derived('f32', [inputs, hiddenSize], (ops) =>
      ops.reshape(kernel, inputs, hiddenSize),
    );
    this.#bias = weights.vector('proj.bias', hiddenSize);
    this.#cls = weights.vector('cls_embedding', 1, hiddenSize);
    this.#positions = positionTable(weights, config);
  }

  forward(graph: Graph, pixels: Float32Array): Tensor {
    const { patchSize, side } = this.#config;
    const rows = patchRows(pixels, side, patchSize);
    const patches = graph.input('f32', [3 * patchSize * patchSize, side * side], rows); // [588, P]
    const embedded = graph.add(graph.mulMat(this.#projection, patches), this.#bias); // [D, P]
    return graph.add(graph.concatRows(this.#cls, embedded), this.#positions); // [D, P + 1]
  }
}

/** [D, P + 1]: as stored, or interpolated for images smaller than those of the training. */
function positionTable(weights: Weights, { hiddenSize, side, trainedSide }: VisionConfig): Tensor {
  const name = 'position_embedding.weight';
  if (side === trainedSide) return weights.vector(name, towerRows({ side }), hiddenSize);
  const trained = weights.numbers(name, towerRows({ side: trainedSide }), hiddenSize);
  return weights.constant(resizePositions(trained, hiddenSize, trainedSide, side), [
    hiddenSize,
    towerRows({ side }),
  ]);
}

/** pixels [3, S, S] -> a row of 3 * patch * patch numbers for each patch, in the order of the kernel: channel, y, x. */
function patchRows(pixels: Float32Array, side: number, patchSize: number): Float32Array {
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

  constructor(weights: Weights, config: VisionConfig) {
    const { hiddenSize, normEps } = config;
    this.#attention = new TowerAttention(weights.at('attention'), config);
    this.#inputNorm = new LayerNorm(weights, 'input_layernorm', hiddenSize, normEps);
    this.#mlp = new TowerMlp(weights.at('mlp'), config);
    this.#postNorm = new LayerNorm(weights, 'post_attention_layernorm', hiddenSize, normEps);
  }

  /** Computes queries, keys and values of rows of x [D, m] that begin at `start`. All rows must be done before `forward`. */
  project(graph: Graph, x: Tensor, to: FullAttention, start: number): void {
    this.#attention.project(graph, x, to, start);
  }

  /** Rows of x [D, m] that begin at `start`, in place. */
  forward(graph: Graph, x: Tensor, from: FullAttention, start: number): void {
    const attended = graph.add(
      x,
      this.#inputNorm.forward(graph, this.#attention.forward(graph, x, from, start)),
    );
    const y = graph.add(attended, this.#postNorm.forward(graph, this.#mlp.forward(graph, attended)));
    graph.effect(graph.copy(y, x));
  }
}

class TowerAttention {
  readonly #config: VisionConfig;
  readonly #queryKeyValue: Linear;
  readonly #dense: Linear;

  constructor(weights: Weights, config: VisionConfig) {
    const { hiddenSize } = config;
    this.#config = config;
    this.#queryKeyValue = new Linear(weights, 'query_key_value', hiddenSize, 3 * hiddenSize, { bias: true });
    this.#dense = new Linear(weights, 'dense', hiddenSize, hiddenSize, { bias: true });
  }

  project(graph: Graph, x: Tensor, to: FullAttention, start: number): void {
    const { heads, headSize } = this.#config;
    const qkv = this.#queryKeyValue.forward(graph, x); // [3 D, m]
    const [q, k, v] = graph.splitHeads(qkv, headSize, [heads, heads, heads]);
    to.write(graph, start, q, k, v);
  }

  forward(graph: Graph, x: Tensor, from: FullAttention, start: number): Tensor {
    const m = x.shape[1];
    const o = from.attend(graph, start, m); // [headSize, heads, m]
    return this.#dense.forward(graph, graph.reshape(o, this.#config.hiddenSize, m));
  }
}

class TowerMlp {
  readonly #fc1: Linear;
  readonly #fc1Bias: Tensor;
  readonly #fc2: Linear;

  constructor(weights: Weights, { hiddenSize, intermediateSize }: VisionConfig) {
    this.#fc1 = new Linear(weights, 'fc1', hiddenSize, intermediateSize);
    this.#fc1Bias = weights.vector('fc1.bias', intermediateSize);
    this.#fc2 = new Linear(weights, 'fc2', intermediateSize, hiddenSize, { bias: true });
  }

  forward(ops: Ops, x: Tensor): Tensor {
    const y = this.#fc1.forward(ops, x); // [intermediate, m], without its bias
    return this.#fc2.forward(ops, ops.geluBefore(this.#fc2.weight.type, y, this.#fc1Bias));
  }
}
