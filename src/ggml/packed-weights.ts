import { Context } from './context.ts';
import type { Engine } from './engine.ts';
import { ggml } from './library.ts';
import { advise } from './page-advice.ts';
import { byteSize, type Tensor } from './tensor.ts';

/** Packed copies by the weight that they are of; a graph that is given them multiplies with those. */
export type PackedWeights = ReadonlyMap<Tensor, Tensor>;

/** Memory for one packed weight. */
interface Place {
  tensor: Tensor;
  free: () => void;
}

/**
 * Weights that are packed once, when they are first needed, and stay so: those of every decode step. They cost their
 * own size in memory that cannot be given back to the file, so where that is short none of them is packed.
 */
export class KeptWeights {
  readonly #engine: Engine;
  readonly #weights: readonly Tensor[];
  readonly #packed = new Map<Tensor, Tensor>();
  /** The weights that are being packed now. */
  #packing: Promise<void> | undefined;

  /**
   * @param options.freeBytes of the machine's memory
   * @param options.alikeOnly leaves out types whose packed products round one row otherwise than several
   */
  constructor(
    engine: Engine,
    weights: readonly Tensor[],
    { freeBytes, alikeOnly }: { freeBytes: number; alikeOnly: boolean },
  ) {
    this.#engine = engine;
    const packable = weights.filter((weight) => engine.packing?.keeps(weight, { alikeOnly }));
    this.#weights = leavesRoom(totalBytes(packable), freeBytes) ? packable : [];
  }

  /** Whether there is, or will be, a packed copy of this one. */
  has(weight: Tensor): boolean {
    return this.#weights.includes(weight);
  }

  /** Bytes of packed copies that there will be. */
  get sizeBytes(): number {
    return totalBytes(this.#weights);
  }

  /**
   * Resolves when all are packed; only the first call takes time. An abort rejects, with the signal's reason, as soon as
   * the few weights that are being packed are; the next call goes on from there.
   */
  async ready(signal?: AbortSignal): Promise<PackedWeights> {
    this.#engine.checkAlive();
    while (this.#packed.size < this.#weights.length) {
      signal?.throwIfAborted();
      this.#packing ??= this.#packSome().finally(() => {
        this.#packing = undefined;
      });
      await this.#packing;
    }
    return this.#packed;
  }

  async #packSome(): Promise<void> {
    const first = this.#packed.size;
    const some = this.#weights.slice(first, first + packedAtOnce);
    const packed = await this.#engine.alongside(() => pack(some, (weight) => place(this.#engine, weight)));
    for (const [weight, copy] of packed) this.#packed.set(weight, copy);
  }
}

/** As many as libuv has threads by default: of the 19 B model 130 MB at most, a fifth of a second's work. */
const packedAtOnce = 4;

/** Copies may take half of what is free: the rest is for the cache of keys and values, scratch, and the file's pages. */
export function leavesRoom(copiesBytes: number, freeBytes: number): boolean {
  return copiesBytes <= freeBytes / 2;
}

/**
 * One pass of many rows over a stack of layers, one after the other, with packed memory for two layers: while one
 * computes, the next is packed. The rows amortise it, so that nothing need be kept from one pass to the next.
 */
export class PackedPass {
  readonly #engine: Engine;
  readonly #layers: readonly (readonly Tensor[])[];
  readonly #places: [Map<number, Place>, Map<number, Place>] = [new Map(), new Map()];
  #ahead: { layer: number; packed: Promise<PackedWeights> } | undefined;

  /** @param layers each layer's weights, in the order in which they will be used */
  constructor(engine: Engine, layers: readonly (readonly Tensor[])[]) {
    this.#engine = engine;
    this.#layers = layers.map((weights) => weights.filter((weight) => engine.packing?.bufferTypeFor(weight)));
  }

  /** Call for each layer in turn, when the graphs of the one before have run. */
  async ready(layer: number): Promise<PackedWeights> {
    const ahead = this.#ahead?.layer === layer ? this.#ahead.packed : this.#pack(layer);
    const packed = await ahead;
    const next = this.#pack(layer + 1);
    // Its failure is told when it is that layer's turn.
    next.catch(() => {});
    this.#ahead = { layer: layer + 1, packed: next };
    return packed;
  }

  /** Frees the memory when nothing writes to it or reads it any more. */
  async end(): Promise<void> {
    await this.#ahead?.packed.catch(() => {});
    for (const places of this.#places) {
      for (const { free } of places.values()) free();
      places.clear();
    }
  }

  #pack(layer: number): Promise<PackedWeights> {
    const places = this.#places[layer % 2 === 0 ? 0 : 1];
    return this.#engine.alongside(() =>
      pack(this.#layers[layer] ?? [], (weight, i) => {
        const there = places.get(i);
        if (there && fits(there.tensor, weight)) return there;
        there?.free();
        const made = place(this.#engine, weight);
        places.set(i, made);
        return made;
      }),
    );
  }
}

/** Each on a thread of libuv's pool. */
async function pack(
  weights: readonly Tensor[],
  placeOf: (weight: Tensor, index: number) => Place,
): Promise<PackedWeights> {
  const lib = ggml();
  const pairs = weights.map((weight, i) => [weight, placeOf(weight, i).tensor] as const);
  await Promise.all(
    pairs.map(([weight, to]) => {
      const data = BigInt(lib.number('ggml_get_data', weight.pointer));
      return lib.runAsync(
        'ggml_backend_tensor_set',
        to.pointer,
        data,
        0,
        byteSize(weight.type, weight.shape),
      );
    }),
  );
  return new Map(pairs);
}

function place(engine: Engine, weight: Tensor): Place {
  const context = Context.forTensors(1);
  const tensor = context.tensor(weight.type, weight.shape);
  const bufferType = engine.packing?.bufferTypeFor(weight) ?? engine.bufferType('cpu');
  const { free } = engine.allocate(context, bufferType);
  // It is read from end to end for each token: with small pages the processor waits for their addresses, too.
  const address = BigInt(ggml().number('ggml_get_data', tensor.pointer));
  advise(address, byteSize(weight.type, weight.shape), 'hugePages');
  return { tensor, free };
}

function fits(a: Tensor, b: Tensor): boolean {
  return a.type === b.type && a.shape.every((size, axis) => size === b.shape[axis]);
}

function totalBytes(weights: readonly Tensor[]): number {
  return weights.reduce((sum, { type, shape }) => sum + byteSize(type, shape), 0);
}
