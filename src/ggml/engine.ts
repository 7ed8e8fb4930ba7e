import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { CogVLM2Error } from '../errors.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { kernelsFor } from '../kernels/library.ts';
import type { Pointer } from './declarations.ts';
import { type Device, findDevice, readDevice } from './devices.ts';
import type { DType } from './dtype.ts';
import { ggml } from './library.ts';
import { availableThreads } from './machine.ts';
import { type MappedFile, systemLibrary } from './mapped-file.ts';
import { Packing } from './packing.ts';
import { byteSize, Context, type Tensor } from './tensor.ts';

/** The processor of a tensor: the chosen GPU, or the CPU with the machine's memory. */
export type Processor = 'gpu' | 'cpu';

export interface EngineOptions {
  /** See `findDevice`; the default is `auto`. */
  device?: string;
  /** The default is the number of physical cores. */
  threads?: number;
}

/** Maximum nodes in one graph. A decoder layer has about 30, and a dozen for each sequence. */
export const maxGraphNodes = 16_384;

/**
 * A device and the CPU, with threads and scratch memory. An operation runs on the processor of its weights. One graph
 * runs at a time; `exclusively` queues the others. The engine owns all native memory that it allocates and frees it at its end.
 */
export class Engine {
  readonly device: Device;
  readonly threads: number;
  /** The CPU's own layouts of weights; null on another device. */
  readonly packing: Packing | null;
  /** Our kernels; null if ggml's are used. */
  readonly kernels: Kernels | null;
  /** The graph whose tensors are in the scratch memory. */
  inScratch: object | null = null;
  /** Stops the running graph. */
  readonly stopFlag = new StopFlag();
  readonly #devicePointer: Pointer;
  readonly #scheduler: Pointer;
  readonly #bufferTypes: Readonly<Record<Processor, Pointer>>;
  readonly #files: MappedFile[] = [];
  /** Cleanup functions; they run in reverse order. */
  readonly #frees: (() => void)[] = [];
  #last: Promise<unknown> = Promise.resolve();
  /** Running work other than graphs that uses the same memory. */
  readonly #alongside = new Set<Promise<unknown>>();
  #disposed = false;

  constructor(options: EngineOptions = {}) {
    const lib = ggml();
    const { pointer, device } = findDevice(options.device ?? 'auto');
    const cpu = findDevice('cpu').pointer;
    this.threads = options.threads ?? defaultThreads();
    if (!Number.isInteger(this.threads) || this.threads < 1 || this.threads > 512) {
      throw new CogVLM2Error(
        'invalid_value',
        `threads must be a whole number from 1 to 512; got ${this.threads}.`,
      );
    }
    this.device = device;
    this.#devicePointer = pointer;
    this.packing = device.kind === 'cpu' ? new Packing(cpu) : null;
    this.kernels = kernelsFor(device);
    this.#bufferTypes = {
      gpu: lib.pointer('ggml_backend_dev_buffer_type', pointer),
      cpu: lib.pointer('ggml_backend_dev_buffer_type', cpu),
    };
    // The CPU is last: it computes what the other device does not support.
    const backends = (device.kind === 'cpu' ? [cpu] : [pointer, cpu]).map((each) => this.#openBackend(each));
    this.#startThreads(cpu, backends.at(-1)!);
    const bufferTypes = null;
    this.#scheduler = lib.pointer(
      'ggml_backend_sched_new',
      backends,
      bufferTypes,
      backends.length,
      maxGraphNodes,
      false,
      false,
    );
    this.#frees.push(() => lib.run('ggml_backend_sched_free', this.#scheduler));
  }

  /** Memory of the whole GPU at this moment, used by all programs; null without a GPU. */
  gpuMemory(): { usedBytes: number; totalBytes: number } | null {
    if (this.device.kind === 'cpu') return null;
    const { memoryTotalBytes, memoryFreeBytes } = readDevice(this.#devicePointer);
    return { usedBytes: memoryTotalBytes - memoryFreeBytes, totalBytes: memoryTotalBytes };
  }

  /** The plain memory of a processor. Without a GPU, both are the same. */
  bufferType(processor: Processor): Pointer {
    return this.#bufferTypes[processor];
  }

  /**
   * Allocates memory of a kind (the CPU's own by default) for every tensor of the context, and owns both. `free` frees them when
   * no graph that began before can still read them; the end of the engine frees them at the latest.
   */
  allocate(context: Context, bufferType = this.#bufferTypes.cpu): { free: () => void } {
    this.checkAlive();
    const lib = ggml();
    const buffer = lib.pointer('ggml_backend_alloc_ctx_tensors_from_buft', context.pointer, bufferType);
    // A GPU also multiplies masked elements, and uninitialized memory may contain NaN.
    if (this.device.kind !== 'cpu' && bufferType === this.#bufferTypes.gpu)
      lib.run('ggml_backend_buffer_clear', buffer, 0);
    const free = this.owns(() => {
      lib.run('ggml_backend_buffer_free', buffer);
      context[Symbol.dispose]();
    });
    return {
      free: () => {
        this.#last = this.#last.then(free);
      },
    };
  }

  /** Places tensors in a mapped file. @returns the function that places one */
  map(file: MappedFile): (tensor: Tensor, offset: number) => void {
    const lib = ggml();
    const buffer = lib.pointer('ggml_backend_cpu_buffer_from_ptr', file.address, file.sizeBytes);
    const weights = 1;
    lib.run('ggml_backend_buffer_set_usage', buffer, weights);
    this.#frees.push(() => lib.run('ggml_backend_buffer_free', buffer));
    this.#files.push(file);
    return (tensor, offset) =>
      void lib.number('ggml_backend_tensor_alloc', buffer, tensor.pointer, file.address + BigInt(offset));
  }

  /** Evicts the pages of mapped weights from memory; a later use reads them again. Other weights are not affected. */
  evictPages(weights: readonly Tensor[]): void {
    if (this.#disposed) return;
    for (const { pointer, type, shape } of weights) {
      const address = BigInt(ggml().number('ggml_get_data', pointer));
      this.#files.find((file) => file.holds(address))?.evictPages(address, byteSize(type, shape));
    }
  }

  /** Runs `work` when nothing else uses the device. @throws CogVLM2Error `disposed`. */
  exclusively<T>(work: (scheduler: Pointer) => Promise<T>): Promise<T> {
    const run = this.#last.then(() => {
      this.checkAlive();
      return work(this.#scheduler);
    });
    this.#last = run.catch(() => {});
    return run;
  }

  /** Runs `work` concurrently with graphs; the engine's end waits for it. @throws CogVLM2Error `disposed`. */
  async alongside<T>(work: () => Promise<T>): Promise<T> {
    this.checkAlive();
    const run = work();
    this.#alongside.add(run);
    try {
      return await run;
    } finally {
      this.#alongside.delete(run);
    }
  }

  /** @throws CogVLM2Error `disposed`: its memory must not be used any more. */
  checkAlive(): void {
    if (this.#disposed) throw new CogVLM2Error('disposed', 'The model was disposed while it was being used.');
  }

  /** Frees everything when the running graph, if any, is done. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    void Promise.allSettled([this.#last, ...this.#alongside]).then(() => {
      for (const free of this.#frees.splice(0).reverse()) free();
    });
  }

  /** Calls `free` once: when the returned function is called, or when the engine is disposed, before its dependencies are freed. */
  owns(free: () => void): () => void {
    this.#frees.push(free);
    return () => {
      const index = this.#frees.indexOf(free);
      if (index < 0) return;
      this.#frees.splice(index, 1);
      free();
    };
  }

  #openBackend(device: Pointer): Pointer {
    const lib = ggml();
    const backend = lib.pointer('ggml_backend_dev_init', device, null);
    this.#frees.push(() => lib.run('ggml_backend_free', backend));
    return backend;
  }

  /** One thread pool for all graphs. Without it, ggml would start threads for each graph. */
  #startThreads(cpuDevice: Pointer, cpuBackend: Pointer): void {
    const lib = ggml();
    const registry = lib.pointer('ggml_backend_dev_backend_reg', cpuDevice);
    const procedure = (name: string, prototype: string) =>
      koffi.decode(lib.pointer('ggml_backend_reg_get_proc_address', registry, name), koffi.proto(prototype));
    const setThreads = procedure('ggml_backend_set_n_threads', 'void (void *backend, int threads)');
    const newPool = procedure('ggml_threadpool_new', 'void *(void *params)');
    const freePool = procedure('ggml_threadpool_free', 'void (void *pool)');
    const setPool = procedure('ggml_backend_cpu_set_threadpool', 'void (void *backend, void *pool)');
    const setStop = procedure(
      'ggml_backend_set_abort_callback',
      'void (void *backend, void *predicate, void *data)',
    );
    setStop(cpuBackend, this.stopFlag.predicate, this.stopFlag.memory);
    const params = Buffer.alloc(1024);
    lib.run('ggml_threadpool_params_init', params, this.threads);
    const pool: unknown = newPool(params);
    setThreads(cpuBackend, this.threads);
    setPool(cpuBackend, pool);
    // Freed before the backend that uses it: the list is processed in reverse.
    this.#frees.push(() => freePool(pool));
  }
}

/** One thread for each physical core. Hyper-threads share a core's arithmetic units, so a second thread only slows it down. */
export function defaultThreads(): number {
  const allowed = availableThreads();
  if (process.platform !== 'linux')
    return process.arch === 'x64' ? Math.max(1, Math.ceil(allowed / 2)) : allowed;
  try {
    const cores = new Set<string>();
    for (const block of readFileSync('/proc/cpuinfo', 'utf8').split('\n\n')) {
      const core = /^core id\s*: (.*)$/m.exec(block)?.[1];
      const socket = /^physical id\s*: (.*)$/m.exec(block)?.[1];
      if (core !== undefined) cores.add(`${socket}/${core}`);
    }
    return cores.size > 0 ? Math.min(cores.size, allowed) : allowed;
  } catch {
    return allowed;
  }
}

/**
 * ggml's abort callback, which it calls after each operation of a graph, on a thread where no JavaScript may run. So the callback
 * is a native function, `strlen` of our memory: 0 until a byte is written to it.
 */
class StopFlag {
  /** `bool (*)(void *memory)` */
  readonly predicate: Pointer = koffi.address(systemLibrary().symbol('strlen'));
  /** Its own ArrayBuffer, which the garbage collector does not move. */
  readonly memory = new Uint8Array(new ArrayBuffer(64));

  /** Set while `signal` is aborted, until the scope's end. */
  follow(signal: AbortSignal | undefined): Disposable {
    const raise = () => {
      this.memory[0] = 1;
    };
    signal?.addEventListener('abort', raise);
    return {
      [Symbol.dispose]: () => {
        signal?.removeEventListener('abort', raise);
        this.memory[0] = 0;
      },
    };
  }
}

/** Tensors that outlive a graph. The end of the engine frees them at the latest. */
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
    if (!tensor) throw new CogVLM2Error('engine_bug', `There is no tensor ${name}.`);
    return tensor;
  }

  /** Frees the memory when the graphs that were started before are done. */
  [Symbol.dispose](): void {
    this.#free?.();
    this.#free = undefined;
  }
}
