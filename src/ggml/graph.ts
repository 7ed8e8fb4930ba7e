import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from './declarations.ts';
import type { DType } from './dtype.ts';
import { type Engine, maxGraphNodes } from './engine.ts';
import { ggml } from './library.ts';
import { type LowRankTerms, Ops } from './ops.ts';
import type { PackedWeights } from './packed-weights.ts';
import { byteSize, Context, describe, type Tensor } from './tensor.ts';

/** Types of graph inputs; f16 as its bits. */
export type InputData = Float32Array | Int32Array | BigInt64Array | Uint16Array;

/**
 * A computation on the device: build it with the ops, declare its outputs, then `run` it, which frees it, or `repeat` it.
 * The scratch memory belongs to the backend scheduler; the next graph uses it again.
 */
export class Graph extends Ops {
  readonly #engine: Engine;
  readonly #graph: Pointer;
  readonly #inputs = new Map<Tensor, InputData>();
  readonly #outputs = new Map<string, Tensor>();
  #isPlaced = false;

  /** @throws CogVLM2Error `disposed` if its weights were freed. */
  constructor(engine: Engine, packed?: PackedWeights, lowRank?: LowRankTerms) {
    engine.checkAlive();
    const lib = ggml();
    const nodes = lib.number('ggml_tensor_overhead') * maxGraphNodes;
    const context = new Context(nodes + lib.number('ggml_graph_overhead_custom', maxGraphNodes, false));
    super(context, engine.kernels, packed, lowRank);
    this.#engine = engine;
    this.#graph = lib.pointer('ggml_new_graph_custom', this.context.pointer, maxGraphNodes, false);
  }

  /** A tensor that is filled with `data` before the run. */
  input(type: DType, sizes: readonly number[], data: InputData): Tensor {
    const tensor = this.context.tensor(type, sizes);
    this.refill(tensor, data);
    ggml().run('ggml_set_input', tensor.pointer);
    return tensor;
  }

  /** Replaces the data of an input before the graph runs again. */
  refill(input: Tensor, data: InputData): void {
    if (data.byteLength !== byteSize(input.type, input.shape)) {
      throw new CogVLM2Error(
        'engine_bug',
        `${data.byteLength} bytes of input do not fit ${describe(input)}.`,
      );
    }
    this.#inputs.set(input, data);
  }

  /** Adds a node with a side effect, such as a copy into memory that outlives the graph. */
  effect(tensor: Tensor): void {
    ggml().run('ggml_build_forward_expand', this.#graph, tensor.pointer);
  }

  /** Declares f32 `tensor` as the output `name`. */
  output(name: string, tensor: Tensor): void {
    const whole = this.contiguous(tensor);
    if (whole.type !== 'f32')
      throw new CogVLM2Error('engine_bug', `An output must be f32, not ${describe(whole)}.`);
    ggml().run('ggml_set_output', whole.pointer);
    ggml().run('ggml_build_forward_expand', this.#graph, whole.pointer);
    this.#outputs.set(name, whole);
  }

  /**
   * Runs off the event loop, then frees the graph. Resolves with the outputs by name.
   * @throws CogVLM2Error `out_of_memory` without enough scratch memory, `disposed`; the signal's reason after an abort, which on
   * the CPU takes effect after the current operation.
   */
  async run(signal?: AbortSignal): Promise<Map<string, Float32Array>> {
    try {
      return await this.#engine.exclusively((scheduler) => this.#compute(scheduler, signal));
    } finally {
      this[Symbol.dispose]();
    }
  }

  /**
   * Like `run`, but keeps the graph for further runs; the caller disposes it.
   * @returns null, without computing, if another graph has used the scratch memory since: the graph must be rebuilt.
   */
  repeat(): Promise<Map<string, Float32Array> | null> {
    return this.#engine.exclusively(async (scheduler) => {
      if (this.#isPlaced && this.#engine.inScratch !== this) return null;
      return this.#compute(scheduler);
    });
  }

  [Symbol.dispose](): void {
    this.context[Symbol.dispose]();
  }

  #place(scheduler: Pointer): void {
    const lib = ggml();
    this.#engine.inScratch = this;
    lib.run('ggml_backend_sched_reset', scheduler);
    if (!lib.number('ggml_backend_sched_alloc_graph', scheduler, this.#graph)) {
      throw new CogVLM2Error(
        'out_of_memory',
        'There is not enough memory for the scratch space of this step.',
      );
    }
    this.#isPlaced = true;
  }

  async #compute(scheduler: Pointer, signal?: AbortSignal): Promise<Map<string, Float32Array>> {
    signal?.throwIfAborted();
    if (!this.#isPlaced) this.#place(scheduler);
    const lib = ggml();
    for (const [tensor, data] of this.#inputs) {
      // ggml allocates no memory for an input that no operation reads.
      if (hasMemory(tensor)) lib.run('ggml_backend_tensor_set', tensor.pointer, data, 0, data.byteLength);
    }
    using _ = this.#engine.stopFlag.follow(signal);
    const status = await lib.numberAsync('ggml_backend_sched_graph_compute', scheduler, this.#graph);
    signal?.throwIfAborted();
    if (status !== 0)
      throw new CogVLM2Error('out_of_memory', `The device gave up on this step (status ${status}).`);
    const results = new Map<string, Float32Array>();
    for (const [name, tensor] of this.#outputs) {
      const data = new Float32Array(byteSize(tensor.type, tensor.shape) / 4);
      lib.run('ggml_backend_tensor_get', tensor.pointer, data, 0, data.byteLength);
      results.set(name, data);
    }
    return results;
  }
}

function hasMemory(tensor: Tensor): boolean {
  return ggml().number('ggml_get_data', tensor.pointer) !== 0;
}
