import type { Engine } from '../ggml/engine.ts';
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
  readonly #state: State;
  readonly #headSize: number;
  readonly #kvHeads: number;

  /** @throws CogVLM2Error `out_of_memory`. */
  constructor(engine: Engine, config: ModelConfig, options: { capacity: number; exact: boolean }) {
    this.capacity = options.capacity;
    this.#headSize = config.headSize;
    this.#kvHeads = config.kvHeads;
    const sizes = [config.headSize * config.kvHeads, options.capacity];
    const type = options.exact ? 'f32' : 'f16';
    const names = Array.from({ length: config.layers }, (_, i) => [`k.${i}`, `v.${i}`]).flat();
    this.#state = new State(
      engine,
      names.map((name) => [name, type, sizes] as const),
    );
  }

  /** The nodes that write k and v [headSize, kvHeads, n] behind the tokens that are here. */
  write(ops: Ops, layer: number, k: Tensor, v: Tensor): Tensor[] {
    const n = k.shape[2];
    return [k, v].map((x, i) => {
      const rows = ops.rows(this.#state.get(i === 0 ? `k.${layer}` : `v.${layer}`), this.length, n);
      return ops.copy(ops.reshape(ops.contiguous(x), this.#headSize * this.#kvHeads, n), rows);
    });
  }

  /** Keys and values of the first `count` tokens, each [headSize, count, kvHeads]. */
  read(ops: Ops, layer: number, count: number): [Tensor, Tensor] {
    const part = (name: string) => {
      const whole = this.#state.get(`${name}.${layer}`);
      const [element, row] = whole.strides;
      const head = element * this.#headSize;
      return ops.view(whole, [this.#headSize, count, this.#kvHeads], [row, head, head * this.#kvHeads], 0);
    };
    return [part('k'), part('v')];
  }

  [Symbol.dispose](): void {
    this.#state[Symbol.dispose]();
  }
}
