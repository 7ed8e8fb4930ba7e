import { Context } from '../ggml/context.ts';
import type { DType } from '../ggml/dtype.ts';
import type { Engine } from '../ggml/engine.ts';
import type { Tensor } from '../ggml/tensor.ts';

/** Tensors that live on the device from one graph to the next. Freed with the engine at the latest. */
export class State<Name extends string = string> {
  readonly #context: Context;
  readonly #tensors = new Map<Name, Tensor>();
  #free: (() => void) | undefined;

  /** @throws CogVLM2Error `out_of_memory`. */
  constructor(engine: Engine, tensors: Iterable<readonly [Name, DType, readonly number[]]>) {
    const wanted = [...tensors];
    this.#context = Context.forTensors(wanted.length);
    for (const [name, type, sizes] of wanted) this.#tensors.set(name, this.#context.tensor(type, sizes));
    const { free } = engine.allocate(this.#context);
    this.#free = free;
  }

  get(name: Name): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor || !this.#free) throw new Error(`State ${name} is ${tensor ? 'freed' : 'unknown'}.`);
    return tensor;
  }

  [Symbol.dispose](): void {
    this.#free?.();
    this.#free = undefined;
    this.#context[Symbol.dispose]();
  }
}
