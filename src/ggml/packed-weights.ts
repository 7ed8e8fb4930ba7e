import type { Use } from '../kernels/matmul.ts';
import type { Engine } from './engine.ts';
import { ggml } from './library.ts';
import { advise } from './mapped-file.ts';
import type { Layout } from './packing.ts';
import { Context, type Tensor } from './tensor.ts';

/** Packed copies by their weight. A graph with these uses them in products. */
export type PackedWeights = ReadonlyMap<Tensor, Tensor>;

/** Memory for one packed weight. */
interface PackedMemory {
  layout: Layout;
  tensor: Tensor;
  free: () => void;
}

/** A weight and the layout that it is packed in. */
interface Packable {
  weight: Tensor;
  layout: Layout;
}

/**
 * The weights of decode steps: packed once, when they are first needed, and kept. Unlike mapped weights, the copies cannot be
 * evicted, so none are made if memory is short.
 */
export class KeptWeights {
  readonly #engine: Engine;
  readonly #packable: readonly Packable[];
  readonly #packed = new Map<Tensor, Tensor>();
  readonly #memory: PackedMemory[] = [];
  /** The weights in packing. */
  #packing: Promise<void> | undefined;

  /**
   * @param options.freeBytes of the machine's memory
   * @param options.batchInvariantOnly leaves out layouts whose products depend on the number of rows
   */
  constructor(
    engine: Engine,
    weights: readonly Tensor[],
    { freeBytes, batchInvariantOnly }: { freeBytes: number; batchInvariantOnly: boolean },
  ) {
    this.#engine = engine;
    const packable = packableOf(engine, weights, 'any rows').filter(
      ({ layout }) => layout.batchInvariant || !batchInvariantOnly,
    );
    this.#packable = leavesRoom(totalBytes(packable), freeBytes) ? packable : [];
  }

  /** The layout in which this weight is or will be packed; undefined if it stays as stored. */
  layoutOf(weight: Tensor): Layout | undefined {
    return this.#packable.find((each) => each.weight === weight)?.layout;
  }

  /** Bytes of all packed copies, present and future. */
  get sizeBytes(): number {
    return totalBytes(this.#packable);
  }

  /**
   * Resolves when all are packed; only the first call takes time. An abort rejects, with the signal's reason, when the weights in
   * packing are done; the next call continues from there.
   */
  async ready(signal?: AbortSignal): Promise<PackedWeights> {
    this.#engine.checkAlive();
    while (this.#packed.size < this.#packable.length) {
      signal?.throwIfAborted();
      this.#packing ??= this.#packSome().finally(() => {
        this.#packing = undefined;
      });
      await this.#packing;
    }
    return this.#packed;
  }

  /** Frees the copies when no graph that began before reads them. The engine's end frees them at the latest. */
  free(): void {
    for (const { free } of this.#memory.splice(0)) free();
    this.#packed.clear();
  }

  async #packSome(): Promise<void> {
    const first = this.#packed.size;
    const some = this.#packable.slice(first, first + packedAtOnce);
    const packed = await this.#engine.alongside(() =>
      pack(some, ({ layout }) => {
        const made = allocate(this.#engine, layout);
        this.#memory.push(made);
        return made;
      }),
    );
    for (const [weight, copy] of packed) this.#packed.set(weight, copy);
  }
}

/** As many as libuv has threads by default: at most 130 MB of the 19 B model, a fifth of a second of work. */
const packedAtOnce = 4;

/** Copies may use half of the free memory: the rest is for KV caches, scratch, and the file's pages. */
export function leavesRoom(copiesBytes: number, freeBytes: number): boolean {
  return copiesBytes <= freeBytes / 2;
}

/**
 * One pass of many rows over a stack of layers, with packed memory for two layers: while one layer computes, the next is
 * packed. Many rows amortize the packing, so nothing is kept after the pass.
 */
export class PackedPass {
  readonly #engine: Engine;
  readonly #layers: readonly (readonly Packable[])[];
  readonly #memory: [Map<number, PackedMemory>, Map<number, PackedMemory>] = [new Map(), new Map()];
  #ahead: { layer: number; packed: Promise<PackedWeights> } | undefined;

  /** @param layers each layer's weights, in the order in which they will be used */
  constructor(engine: Engine, layers: readonly (readonly Tensor[])[]) {
    this.#engine = engine;
    this.#layers = layers.map((weights) => packableOf(engine, weights, 'many rows'));
  }

  /** Call it for each layer in order, when the graphs of the previous layer have run. */
  async ready(layer: number): Promise<PackedWeights> {
    const ahead = this.#ahead?.layer === layer ? this.#ahead.packed : this.#pack(layer);
    const packed = await ahead;
    const next = this.#pack(layer + 1);
    // An error is reported when its layer is requested.
    next.catch(() => {});
    this.#ahead = { layer: layer + 1, packed: next };
    return packed;
  }

  /** Frees the memory when it is neither written nor read any more. */
  async end(): Promise<void> {
    await this.#ahead?.packed.catch(() => {});
    for (const memory of this.#memory) {
      for (const { free } of memory.values()) free();
      memory.clear();
    }
  }

  #pack(layer: number): Promise<PackedWeights> {
    const memory = this.#memory[layer % 2 === 0 ? 0 : 1];
    return this.#engine.alongside(() =>
      pack(this.#layers[layer] ?? [], ({ layout }, i) => {
        const there = memory.get(i);
        if (there && fits(there.layout, layout)) return there;
        there?.free();
        const made = allocate(this.#engine, layout);
        memory.set(i, made);
        return made;
      }),
    );
  }
}

function packableOf(engine: Engine, weights: readonly Tensor[], use: Use): Packable[] {
  return weights.flatMap((weight) => {
    const layout = engine.packing?.layoutOf(weight, use);
    return layout ? [{ weight, layout }] : [];
  });
}

/** Each on a thread of libuv's pool. */
async function pack(
  packable: readonly Packable[],
  memoryOf: (packable: Packable, index: number) => PackedMemory,
): Promise<PackedWeights> {
  const packed = packable.map((each, i) => [each.weight, memoryOf(each, i).tensor] as const);
  await Promise.all(packed.map(([weight, copy], i) => packable[i]!.layout.pack(weight, copy)));
  return new Map(packed);
}

function allocate(engine: Engine, layout: Layout): PackedMemory {
  const context = Context.forTensors(1);
  const tensor = context.tensor(layout.type, layout.sizes);
  const { free } = engine.allocate(context, layout.bufferType ?? engine.bufferType('cpu'));
  // It is read completely for each token. With small pages, the processor would also wait for address translations.
  const address = BigInt(ggml().number('ggml_get_data', tensor.pointer));
  advise(address, layout.sizeBytes, 'hugePages');
  return { layout, tensor, free };
}

function fits(a: Layout, b: Layout): boolean {
  return (
    a.type === b.type && a.bufferType === b.bufferType && a.sizes.every((size, i) => size === b.sizes[i])
  );
}

function totalBytes(packable: readonly Packable[]): number {
  return packable.reduce((sum, { layout }) => sum + layout.sizeBytes, 0);
}
