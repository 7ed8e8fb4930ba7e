import { CogVLM2Error } from '../errors.ts';
import { type DType, dtypes } from '../ggml/dtype.ts';
import type { Engine, Processor } from '../ggml/engine.ts';
import { Graph } from '../ggml/graph.ts';
import { ggml } from '../ggml/library.ts';
import { MappedFile } from '../ggml/mapped-file.ts';
import type { Ops } from '../ggml/ops.ts';
import { pieceElements } from '../ggml/quantize.ts';
import { Context, type Tensor } from '../ggml/tensor.ts';
import { readElements, readNumbers } from './read-tensor.ts';
import type { Checkpoint, TensorEntry } from './types.ts';

/**
 * A cursor into the checkpoint's names: `weights.at('model.layers', 3).at('mlp').matrix('down_proj.weight', ...)`
 * reads like the key in the file. Each tensor is requested with its shape in PyTorch's order.
 */
export class Weights {
  readonly #loader: WeightLoader;
  readonly #prefix: string;

  constructor(loader: WeightLoader, prefix = '') {
    this.#loader = loader;
    this.#prefix = prefix;
  }

  at(...parts: (string | number)[]): Weights {
    return new Weights(this.#loader, `${this.#prefix}${parts.join('.')}.`);
  }

  /** All matrices requested so far, by their full names. */
  get matrices(): ReadonlyMap<string, Tensor> {
    return this.#loader.matrices;
  }

  /** A matrix in its stored type (f32 with `isFloat32`), in the mapped file if possible. */
  matrix(name: string, rows: number, columns: number, ...kernel: number[]): Tensor {
    return this.#loader.matrix(this.#prefix + name, [rows, columns, ...kernel]);
  }

  /** Norms, biases and embeddings that are added: always f32, as ggml's additions require. */
  vector(name: string, ...shape: number[]): Tensor {
    return this.#loader.converted(this.#prefix + name, shape);
  }

  /** A tensor computed once, while loading, from stored ones. */
  derived(type: DType, sizes: readonly number[], build: (ops: Ops) => Tensor): Tensor {
    return this.#loader.derived(this.#prefix, type, sizes, build);
  }

  /** A table that is computed rather than stored: f32, fastest axis first. */
  constant(values: Float32Array, sizes: readonly number[]): Tensor {
    return this.#loader.constant(this.#prefix, values, sizes);
  }

  has(name: string): boolean {
    return this.#loader.has(this.#prefix + name);
  }

  /** A table as numbers. */
  numbers(name: string, ...shape: number[]): Float32Array {
    return this.#loader.numbers(this.#prefix + name, shape);
  }
}

/**
 * Creates tensors first and fills them in `finish`. Matrices point into the mapped file; ggml converts the others or copies them
 * to the device. Nothing large passes through the JavaScript heap, except weights of bitsandbytes, piece by piece.
 */
export class WeightLoader {
  /** Every requested matrix, by its name. */
  readonly matrices = new Map<string, Tensor>();
  readonly #engine: Engine;
  readonly #checkpoint: Checkpoint;
  readonly #isFloat32: boolean;
  /** Descriptions of tensors in mapped files. */
  readonly #mapped: Context;
  /** Tensors with their own memory, by processor. */
  readonly #own: Readonly<Record<Processor, Context>>;
  readonly #processorOf: (name: string) => Processor;
  readonly #files = new Map<string, { file: MappedFile; place: (tensor: Tensor, offset: number) => void }>();
  readonly #used = new Set<string>();
  /** ggml gives no buffer to a context without tensors. */
  readonly #processorsUsed = new Set<Processor>();
  readonly #copies: { sizeBytes: number; to: Tensor; build: (ops: Ops) => Tensor }[] = [];
  readonly #constants: { values: Float32Array; to: Tensor }[] = [];
  readonly #uploads: { entry: TensorEntry; to: Tensor }[] = [];
  readonly #unpacks: { entry: TensorEntry; to: Tensor }[] = [];

  /**
   * `isFloat32` turns every weight into f32; `placeOf` returns the processor for a tensor, or for data that is computed for its
   * layer.
   */
  constructor(
    engine: Engine,
    checkpoint: Checkpoint,
    options: { isFloat32: boolean; processorOf: (name: string) => Processor },
  ) {
    this.#engine = engine;
    this.#checkpoint = checkpoint;
    this.#isFloat32 = options.isFloat32;
    this.#processorOf = options.processorOf;
    // A tensor has at most two descriptions: of its stored form and of its converted form.
    this.#mapped = Context.forTensors(checkpoint.tensors.size + 8);
    const own = () => Context.forTensors(checkpoint.tensors.size * 2 + 8);
    this.#own = { gpu: own(), cpu: own() };
    engine.owns(() => {
      this.#mapped[Symbol.dispose]();
      for (const context of Object.values(this.#own)) context[Symbol.dispose]();
      for (const { file } of this.#files.values()) file[Symbol.dispose]();
    });
  }

  matrix(name: string, shape: readonly number[]): Tensor {
    const stored = this.#stored(name, shape);
    this.matrices.set(name, stored);
    return stored;
  }

  #stored(name: string, shape: readonly number[]): Tensor {
    const entry = this.#entry(name, shape);
    if (this.#isFloat32 && entry.type !== 'f32') return this.converted(name, shape);
    if (entry.packed) return this.#unpacked(entry, entry.type);
    if (this.#processorOf(name) === 'cpu') return this.#inFile(entry);
    const to = this.#ownTensor('gpu', entry.type, [...shape].reverse());
    this.#uploads.push({ entry, to });
    return to;
  }

  converted(name: string, shape: readonly number[]): Tensor {
    const entry = this.#entry(name, shape);
    if (entry.packed) return this.#unpacked(entry, 'f32');
    const source = this.#inFile(entry);
    return this.derived(name, 'f32', [...shape].reverse(), () => source);
  }

  derived(name: string, type: DType, sizes: readonly number[], build: (ops: Ops) => Tensor): Tensor {
    const to = this.#ownTensor(this.#processorOf(name), type, sizes);
    this.#copies.push({ sizeBytes: sizes.reduce((a, b) => a * b, dtypes[type].bytes), to, build });
    return to;
  }

  constant(name: string, values: Float32Array, sizes: readonly number[]): Tensor {
    const to = this.#ownTensor(this.#processorOf(name), 'f32', sizes);
    this.#constants.push({ values, to });
    return to;
  }

  has(name: string): boolean {
    return this.#checkpoint.tensors.has(name);
  }

  numbers(name: string, shape: readonly number[]): Float32Array {
    return readNumbers(this.#entry(name, shape));
  }

  /** @throws CogVLM2Error `invalid_checkpoint` if the checkpoint has tensors that the model did not request. */
  expectAllUsed(): void {
    const extra = [...this.#checkpoint.tensors.keys()].filter((name) => !this.#used.has(name));
    if (extra.length === 0) return;
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${this.#checkpoint.path} has ${extra.length} tensors that this config does not use, such as ${extra[0]}.`,
    );
  }

  /** Fills all tensors. @throws CogVLM2Error `invalid_checkpoint` as `expectAllUsed`; an abort throws the signal's reason. */
  async finish(
    onProgress: (doneBytes: number, totalBytes: number) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    this.expectAllUsed();
    for (const processor of this.#processorsUsed)
      this.#engine.allocate(this.#own[processor], this.#engine.bufferType(processor));
    for (const { values, to } of this.#constants.splice(0)) {
      ggml().run('ggml_backend_tensor_set', to.pointer, values, 0, values.byteLength);
    }
    const bytesOf = (loads: readonly { sizeBytes: number }[]) =>
      loads.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const entries = [...this.#uploads, ...this.#unpacks].map(({ entry }) => entry);
    const total = bytesOf(entries) + bytesOf(this.#copies);
    let done = 0;
    for (const { entry, to } of this.#unpacks.splice(0)) {
      for (const readBytes of unpackInto(entry, to)) {
        signal?.throwIfAborted();
        done += readBytes;
        onProgress(done, total);
        await new Promise(setImmediate);
      }
    }
    for (const { entry, to } of this.#uploads.splice(0)) {
      signal?.throwIfAborted();
      const { file } = this.#mappingOf(entry);
      ggml().run(
        'ggml_backend_tensor_set',
        to.pointer,
        file.address + BigInt(entry.offsetBytes),
        0,
        entry.sizeBytes,
      );
      done += entry.sizeBytes;
      onProgress(done, total);
      await new Promise(setImmediate);
    }
    const tensorsAGraph = 200;
    while (this.#copies.length > 0) {
      signal?.throwIfAborted();
      const graph = new Graph(this.#engine);
      for (const { sizeBytes, to, build } of this.#copies.splice(0, tensorsAGraph)) {
        graph.effect(graph.copy(build(graph), to));
        done += sizeBytes;
      }
      await graph.run();
      onProgress(done, total);
    }
  }

  #entry(name: string, shape: readonly number[]): TensorEntry {
    const entry = this.#checkpoint.tensors.get(name);
    const wanted = `[${shape.join(', ')}]`;
    if (!entry) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${this.#checkpoint.path} has no tensor ${name} ${wanted}.`,
      );
    }
    if (entry.shape.length !== shape.length || entry.shape.some((size, axis) => size !== shape[axis])) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${name} in ${entry.file} is [${entry.shape.join(', ')}], but config.json requires ${wanted}.`,
      );
    }
    this.#used.add(name);
    return entry;
  }

  #unpacked(entry: TensorEntry, type: DType): Tensor {
    const to = this.#ownTensor(this.#processorOf(entry.name), type, [...entry.shape].reverse());
    this.#unpacks.push({ entry, to });
    return to;
  }

  #ownTensor(processor: Processor, type: DType, sizes: readonly number[]): Tensor {
    this.#processorsUsed.add(processor);
    return this.#own[processor].tensor(type, sizes);
  }

  #inFile(entry: TensorEntry): Tensor {
    const tensor = this.#mapped.tensor(entry.type, [...entry.shape].reverse());
    this.#mappingOf(entry).place(tensor, entry.offsetBytes);
    return tensor;
  }

  /** The mapped file of a tensor. @throws CogVLM2Error `invalid_checkpoint` if the file was truncated. */
  #mappingOf({ name, file, offsetBytes, sizeBytes }: TensorEntry) {
    const mapping = this.#open(file);
    const end = offsetBytes + sizeBytes;
    if (end <= mapping.file.sizeBytes) return mapping;
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${file} has become shorter while it was opened: ${name} ends at byte ${end}, and the file has ${mapping.file.sizeBytes}.`,
    );
  }

  #open(name: string) {
    const known = this.#files.get(name);
    if (known) return known;
    const file = new MappedFile(name);
    const opened = { file, place: this.#engine.map(file) };
    this.#files.set(name, opened);
    return opened;
  }
}

/** Fills a tensor, of the type that the entry unpacks to or of f32, piece by piece. Yields the entry's bytes of each. */
function* unpackInto(entry: TensorEntry, to: Tensor): Generator<number> {
  const { bytes } = dtypes[entry.type];
  const elements = entry.sizeBytes / bytes;
  for (let start = 0; start < elements; start += pieceElements) {
    const count = Math.min(pieceElements, elements - start);
    const piece =
      to.type === 'f32'
        ? readNumbers(entry, start, count)
        : new Uint8Array(readElements(entry, start, count));
    const offset = start * dtypes[to.type].bytes;
    ggml().run('ggml_backend_tensor_set', to.pointer, piece, offset, piece.byteLength);
    yield count * bytes;
  }
}
