import type { Use } from '../kernels/matmul.ts';
import type { Engine } from './engine.ts';
import { ggml } from './library.ts';
import { advise } from './mapped-file.ts';
import type { Layout } from './packing.ts';
import { Context, type Tensor } from './tensor.ts';

/** Packed copies by the weight that they are of; a graph that is given them multiplies with those. */
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
 * Weights that are packed once, when they are first needed, and stay so: those of every decode step. The copies cannot be
 * given back to the file, so where memory is short none is made.
 */
export class KeptWeights {
  readonly #engine: Engine;
  readonly #packable: readonly Packable[];
  readonly #packed = new Map<Tensor, Tensor>();
  readonly #memory: PackedMemory[] = [];
  /** The weights that are being packed now. */
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

  /** The layout that this weight has, or will have; undefined where it stays as it is stored. */
  layoutOf(weight: Tensor): Layout | undefined {
    return this.#packable.find((each) => each.weight === weight)?.layout;
  }

  /** Bytes of packed copies that there will be. */
  get sizeBytes(): number {
    return totalBytes(this.#packable);
  }

  /**
   * Resolves when all are packed; only the first call takes time. An abort rejects, with the signal's reason, as soon as
   * the few weights that are being packed are done; the next call continues from there.
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

  /** Frees the copies once no graph that was begun before reads them. The engine's end does so at the latest. */
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

/** As many as libuv has threads by default: at most 130 MB of the 19 B model, a fifth of a second's work. */
const packedAtOnce = 4;

/** Copies may take half of what is free: the rest is for the cache of keys and values, scratch, and the file's pages. */
export function leavesRoom(copiesBytes: number, freeBytes: number): boolean {
  return copiesBytes <= freeBytes / 2;
}

/**
 * One pass of many rows over a stack of layers, one after the other, with packed memory for two layers: while one
 * computes, the next is packed. The rows amortise the packing, so nothing is kept from one pass to the next.
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

  /** Call for each layer in turn, when the graphs of the one before have run. */
  async ready(layer: number): Promise<PackedWeights> {
    const ahead = this.#ahead?.layer === layer ? this.#ahead.packed : this.#pack(layer);
    const packed = await ahead;
    const next = this.#pack(layer + 1);
    // Its failure is reported when it is that layer's turn.
    next.catch(() => {});
    this.#ahead = { layer: layer + 1, packed: next };
    return packed;
  }

  /** Frees the memory when nothing writes to it or reads it any more. */
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
  // It is read from end to end for each token: with small pages the processor waits for their addresses, too.
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
