import { CogVLM2Error } from '../errors.ts';
import { type Engine, type Processor, TensorSet } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { AttentionKernel } from '../kernels/attention.ts';
import type { ModelConfig } from './config.ts';
import type { KeysValues } from './ggml-attention.ts';
import { PackedKeysValues } from './packed-attention.ts';
import { type KeyRange, readPlainKeys } from './taps.ts';

export interface KvCacheOptions {
  /** Tokens. */
  capacity: number;
  /** float32 instead of 16 bits. */
  isFloat32: boolean;
  /** The first layers have their keys and values on the GPU. */
  layersOnGpu: number;
  /** The kernel whose layout all layers use; null: ggml's layout. */
  kernel: AttentionKernel | null;
}

/**
 * Keys (rotated) and values of every layer for one sequence, preallocated for `capacity` tokens, on the processor of the
 * layer's language expert. Pages use memory only after the first write.
 */
export class KvCache {
  readonly capacity: number;
  /** Tokens in the cache. The owner increases it after a chunk and decreases it to keep a prefix. */
  length = 0;
  /** Keys and values of all layers for the attention kernel; null if ggml computes the attention. */
  readonly packed: PackedKeysValues | null;
  readonly #engine: Engine;
  readonly #headSize: number;
  /** The layers' keys and values for ggml's attention. */
  readonly #states: readonly TensorSet[];

  /** @throws CogVLM2Error `out_of_memory`. */
  constructor(
    engine: Engine,
    config: ModelConfig,
    { capacity, isFloat32, layersOnGpu, kernel }: KvCacheOptions,
  ) {
    this.capacity = capacity;
    this.#engine = engine;
    this.#headSize = config.headSize;
    this.packed = kernel && new PackedKeysValues(engine, kernel, { layers: config.layers, capacity });
    const sizes = [config.headSize * config.kvHeads, capacity];
    const type = isFloat32 ? 'f32' : 'f16';
    const stateOf = (first: number, end: number, processor: Processor): TensorSet[] => {
      if (first >= end) return [];
      const names = Array.from({ length: end - first }, (_, i) => [`k.${first + i}`, `v.${first + i}`]);
      const state = new TensorSet(
        engine,
        names.flat().map((name) => [name, type, sizes] as const),
        processor,
      );
      return names.map(() => state);
    };
    this.#states = kernel
      ? []
      : [...stateOf(0, layersOnGpu, 'gpu'), ...stateOf(layersOnGpu, config.layers, 'cpu')];
  }

  /** Keys and values of a layer for ggml's attention. @throws CogVLM2Error `disposed`. */
  readonly layer = (index: number): KeysValues => {
    const state = this.#states[index];
    if (!state) throw new CogVLM2Error('engine_bug', `Layer ${index} has no cache in ggml's layout.`);
    return { keys: state.get(`k.${index}`), values: state.get(`v.${index}`) };
  };

  /** f32 [end - start, headSize]. No graph may run meanwhile. @throws CogVLM2Error `disposed` */
  readKeys(range: KeyRange): Float32Array {
    if (this.packed) return this.packed.readKeys(range);
    return readPlainKeys(this.layer(range.layer).keys, this.#headSize, range);
  }

  /** @throws CogVLM2Error `disposed`. */
  checkAlive(): void {
    if (this.packed) this.packed.checkAlive();
    else this.layer(0);
  }

  /** Copies tokens [length, end) from another sequence with the same prefix, which is much cheaper than computing them. */
  async copyFrom(other: KvCache, end: number): Promise<void> {
    const graph = new Graph(this.#engine);
    const rows = (x: Tensor) => graph.rows(x, this.length, end - this.length);
    for (const i of this.#states.keys()) {
      const [from, to] = [other.layer(i), this.layer(i)];
      graph.effect(graph.copy(rows(from.keys), rows(to.keys)));
      graph.effect(graph.copy(rows(from.values), rows(to.values)));
    }
    if (this.packed && other.packed) this.packed.copyFrom(graph, other.packed, this.length, end);
    await graph.run();
    this.length = end;
  }

  [Symbol.dispose](): void {
    this.packed?.[Symbol.dispose]();
    for (const state of new Set(this.#states)) state[Symbol.dispose]();
  }
}

/** Bytes of a token's keys and values in one layer. */
export function layerTokenBytes(
  { headSize, kvHeads }: ModelConfig,
  isFloat32: boolean,
  kernel: AttentionKernel | null,
): number {
  const plain = 2 * headSize * kvHeads * (isFloat32 ? 4 : 2);
  return kernel ? Math.max(plain, kernel.tokenBytes) : plain;
}

/** The default number of concurrent sequences. */
export const defaultParallel = 8;

const defaultBytes = 2 ** 31;

/**
 * The default capacity of all KV caches together, in tokens: what fits into 2 GiB, but at least one context, and at most one
 * context for each sequence.
 */
export function defaultKvTokens(contextSize: number, parallel: number, tokenBytes: number): number {
  const affordable = Math.floor(defaultBytes / tokenBytes);
  return Math.max(contextSize, Math.min(affordable, parallel * contextSize));
}
