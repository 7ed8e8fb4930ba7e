import { CogVLM2Error } from '../errors.ts';
import type { Pointer } from './declarations.ts';
import type { DType } from './dtype.ts';
import { type Engine, maxGraphNodes } from './engine.ts';
import { ggml } from './library.ts';
import { type LowRankTerms, Ops } from './ops.ts';
import type { PackedWeights } from './packed-weights.ts';
import { byteSize, Context, describe, type Tensor } from './tensor.ts';

/** What a graph input may be filled from; f16 travels as its bits. */
export type InputData = Float32Array | Int32Array | BigInt64Array | Uint16Array;

/**
 * What the device computes at once: build it with the ops, name what to compute, run it, and it is gone, or `repeat` it.
 * Scratch memory is the scheduler's and is used again by the next graph.
 */
export class Graph extends Ops {
  readonly #engine: Engine;
  readonly #graph: Pointer;
  readonly #inputs = new Map<Tensor, InputData>();
  readonly #outputs = new Map<string, Tensor>();
  #isPlaced = false;

  /** @throws CogVLM2Error `disposed`: the weights that it would be built of are gone. */
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

  /** Other data for an input, before the graph is run again. */
  refill(input: Tensor, data: InputData): void {
    if (data.byteLength !== byteSize(input.type, input.shape)) {
      throw new CogVLM2Error(
        'engine_bug',
        `${data.byteLength} bytes of input do not fit ${describe(input)}.`,
      );
    }
    this.#inputs.set(input, data);
  }

  /** Computes `tensor` for what it does: a copy into memory that outlives the graph. */
  effect(tensor: Tensor): void {
    ggml().run('ggml_build_forward_expand', this.#graph, tensor.pointer);
  }

  /** Computes f32 `tensor` and hands its elements over after the run, under `name`. */
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
   * @throws CogVLM2Error `out_of_memory` when there is no scratch memory, `disposed`; the signal's reason when it is
   * aborted, which on the CPU ends the run with the operation that it is at.
   */
  async run(signal?: AbortSignal): Promise<Map<string, Float32Array>> {
    try {
      return await this.#engine.exclusively((scheduler) => this.#compute(scheduler, signal));
    } finally {
      this[Symbol.dispose]();
    }
  }

  /**
   * `run`, after which the graph stays, so that it need not be built again; whoever made it disposes it.
   * @returns null, without computing anything, when another graph has had the scratch memory since: build it anew.
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
      // An input that nothing reads gets no memory.
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
