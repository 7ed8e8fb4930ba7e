import { CogVLM2Error } from '../errors.ts';
import type { Engine, Place } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import type { Ops } from '../ggml/ops.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { ModelConfig } from './config.ts';
import { State } from './state.ts';

/**
 * Keys (rotated) and values of every layer for one sequence, preallocated for `capacity` tokens: rows of
 * [headSize * kvHeads], one a token. f16, or f32 in the exact mode. Pages of it cost memory when they are written.
 */
export class KvCache {
  readonly capacity: number;
  /** Tokens that are in it. The owner moves this on after a chunk, or back to keep a prefix. */
  length = 0;
  readonly #engine: Engine;
  /** Of each layer, where its language expert is; one state for all layers of a place. */
  readonly #states: readonly State[];
  readonly #headSize: number;
  readonly #kvHeads: number;

  /** @throws CogVLM2Error `out_of_memory`. */
  constructor(
    engine: Engine,
    config: ModelConfig,
    options: { capacity: number; exact: boolean; layersOnGpu: number },
  ) {
    this.capacity = options.capacity;
    this.#engine = engine;
    this.#headSize = config.headSize;
    this.#kvHeads = config.kvHeads;
    const sizes = [config.headSize * config.kvHeads, options.capacity];
    const type = options.exact ? 'f32' : 'f16';
    const { layersOnGpu } = options;
    const layers = Array.from({ length: config.layers }, (_, i) => i);
    const stateOf = (some: readonly number[], place: Place) =>
      new State(
        engine,
        some.flatMap((i) => [`k.${i}`, `v.${i}`]).map((name) => [name, type, sizes] as const),
        place,
      );
    const onGpu = layersOnGpu > 0 ? stateOf(layers.slice(0, layersOnGpu), 'gpu') : undefined;
    const onCpu = layersOnGpu < config.layers ? stateOf(layers.slice(layersOnGpu), 'cpu') : undefined;
    this.#states = layers.map((i) => (i < layersOnGpu ? onGpu! : onCpu!));
  }

  /** The nodes that write rows from `first` on of k and v [headSize * kvHeads, n] to the places that i64 `at` names. */
  write(ops: Ops, layer: number, k: Tensor, v: Tensor, first: number, at: Tensor): Tensor[] {
    const count = at.shape[0];
    return [
      ops.setRows(this.#get('k', layer), ops.rows(k, first, count), at),
      ops.setRows(this.#get('v', layer), ops.rows(v, first, count), at),
    ];
  }

  /** @throws CogVLM2Error `disposed`. */
  checkAlive(): void {
    this.#get('k', 0);
  }

  /** Keys and values of the first `count` tokens, each [headSize, count, kvHeads / groups, groups]. */
  read(ops: Ops, layer: number, count: number, groups: number): [Tensor, Tensor] {
    const heads = this.#kvHeads / groups;
    const part = (name: 'k' | 'v') => {
      const whole = this.#get(name, layer);
      const [element, row] = whole.strides;
      const head = element * this.#headSize;
      return ops.view(whole, [this.#headSize, count, heads, groups], [row, head, head * heads], 0);
    };
    return [part('k'), part('v')];
  }

  /** Takes rows [length, end) over from another sequence that begins alike, which is far cheaper than to run them. */
  async copyFrom(other: KvCache, end: number): Promise<void> {
    const graph = new Graph(this.#engine);
    const rows = (x: Tensor) => graph.rows(x, this.length, end - this.length);
    for (const layer of this.#states.keys()) {
      for (const name of ['k', 'v'] as const)
        graph.effect(graph.copy(rows(other.#get(name, layer)), rows(this.#get(name, layer))));
    }
    await graph.run();
    this.length = end;
  }

  [Symbol.dispose](): void {
    for (const state of new Set(this.#states)) state[Symbol.dispose]();
  }

  #get(name: 'k' | 'v', layer: number): Tensor {
    const state = this.#states[layer];
    if (!state) throw new CogVLM2Error('engine_bug', `There is no cache for layer ${layer}.`);
    return state.get(`${name}.${layer}`);
  }
}
