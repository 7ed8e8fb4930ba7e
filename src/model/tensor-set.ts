import { CogVLM2Error } from '../errors.ts';
import type { DType } from '../ggml/dtype.ts';
import type { Engine, Processor } from '../ggml/engine.ts';
import { Context, type Tensor } from '../ggml/tensor.ts';

/** Tensors that outlive a graph. The engine frees them at its end at the latest. */
export class TensorSet<Name extends string = string> {
  readonly #tensors = new Map<Name, Tensor>();
  #free: (() => void) | undefined;

  /** @throws CogVLM2Error `out_of_memory`. */
  constructor(
    engine: Engine,
    tensors: Iterable<readonly [Name, DType, readonly number[]]>,
    processor: Processor = 'cpu',
  ) {
    const wanted = [...tensors];
    const context = Context.forTensors(wanted.length);
    for (const [name, type, sizes] of wanted) this.#tensors.set(name, context.tensor(type, sizes));
    const { free } = engine.allocate(context, engine.bufferType(processor));
    this.#free = free;
  }

  /** @throws CogVLM2Error `disposed`. */
  get(name: Name): Tensor {
    const tensor = this.#tensors.get(name);
    if (!this.#free)
      throw new CogVLM2Error('disposed', `The ${name} that this needs were disposed; make them again.`);
    if (!tensor) throw new CogVLM2Error('engine_bug', `There is no state ${name}.`);
    return tensor;
  }

  /** Frees the memory when the graphs that were started before are done. */
  [Symbol.dispose](): void {
    this.#free?.();
    this.#free = undefined;
  }
}
