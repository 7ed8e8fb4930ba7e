import { type Engine, TensorSet } from '../ggml/engine.ts';
import type { Graph } from '../ggml/graph.ts';
import { ggml } from '../ggml/library.ts';
import type { Tensor } from '../ggml/tensor.ts';
import { type AttentionKernel, packedType, type SequenceRows } from '../kernels/attention.ts';
import { type KeyRange, readPackedKeys } from './taps.ts';

/** Keys and values of some layers of one sequence, in the layout of the attention kernel. */
export class PackedKeysValues {
  readonly #kernel: AttentionKernel;
  readonly #state: TensorSet<'keysValues'>;
  readonly #capacity: number;

  /** @throws CogVLM2Error `out_of_memory`. */
  constructor(engine: Engine, kernel: AttentionKernel, options: { layers: number; capacity: number }) {
    const { layers, capacity } = options;
    this.#kernel = kernel;
    this.#capacity = capacity;
    this.#state = new TensorSet(engine, [['keysValues', packedType, kernel.packedSizes(layers, capacity)]]);
  }

  /** The entry of this sequence in the kernel's table; see `SequenceRows`. @throws CogVLM2Error `disposed`. */
  rows(rows: number, at: number, keys: number | null): SequenceRows {
    const address = BigInt(ggml().number('ggml_get_data', this.#state.get('keysValues').pointer));
    return { address, capacity: this.#capacity, rows, at, keys };
  }

  /** f32 [end - start, headSize]. @throws CogVLM2Error `disposed`. */
  readKeys(range: KeyRange): Float32Array {
    return readPackedKeys(this.#state.get('keysValues'), this.#kernel, range);
  }

  /** @throws CogVLM2Error `disposed`. */
  checkAlive(): void {
    this.#state.get('keysValues');
  }

  /** Copies the keys and values [start, end) of another sequence that has the same prefix before `start`. */
  copyFrom(graph: Graph, other: PackedKeysValues, start: number, end: number): void {
    const first = this.#kernel.blocksOf(start + 1) - 1;
    const blocks = this.#kernel.blocksOf(end) - first;
    const part = (x: Tensor) => graph.rows(x, first, blocks);
    graph.effect(graph.copy(part(other.#state.get('keysValues')), part(this.#state.get('keysValues'))));
  }

  [Symbol.dispose](): void {
    this.#state[Symbol.dispose]();
  }
}

/** Rows of a sequence that run after the rows in its cache. */
export interface PackedRows {
  memory: PackedKeysValues;
  rows: number;
  /** Keys of the sequence before these rows. */
  past: number;
}

/** Causal attention of the rows of several sequences, each over its own keys and values. */
export class PackedAttention {
  readonly #kernel: AttentionKernel;
  readonly #table: Tensor;
  readonly #count: number;

  constructor(graph: Graph, kernel: AttentionKernel, sequences: readonly PackedRows[]) {
    this.#kernel = kernel;
    this.#count = sequences.length;
    this.#table = kernel.table(graph, sequences.map(causalRows));
  }

  /** q [headSize, heads, n], k and v [headSize, kvHeads, n] -> [headSize, heads, n]. Appends k and v first. */
  attend(graph: Graph, layer: number, q: Tensor, k: Tensor, v: Tensor): Tensor {
    this.#kernel.append(graph, k, v, this.#table, layer);
    return this.#kernel.attend(graph, q, this.#table, layer);
  }

  /** Sets the inputs for the graph's next run. @returns false if the graph must be rebuilt */
  refill(graph: Graph, sequences: readonly PackedRows[]): boolean {
    if (sequences.length !== this.#count) return false;
    graph.refill(this.#table, this.#kernel.tableData(sequences.map(causalRows)));
    return true;
  }
}

function causalRows({ memory, rows, past }: PackedRows): SequenceRows {
  return memory.rows(rows, past, null);
}

/** Queries, keys and values of all rows of one tower layer. Each row attends to all rows. */
export class PackedFullAttention {
  readonly #kernel: AttentionKernel;
  readonly #queries: TensorSet<'q'>;
  readonly #memory: PackedKeysValues;
  readonly #rows: number;

  constructor(engine: Engine, kernel: AttentionKernel, { rows, width }: { rows: number; width: number }) {
    this.#kernel = kernel;
    this.#rows = rows;
    this.#queries = new TensorSet(engine, [['q', 'f32', [width, rows]]]);
    this.#memory = new PackedKeysValues(engine, kernel, { layers: 1, capacity: rows });
  }

  /** Rows from `start` on: q, k and v are [headSize, heads, m]. */
  write(graph: Graph, start: number, q: Tensor, k: Tensor, v: Tensor): void {
    const m = q.shape[2];
    graph.effect(graph.copy(q, graph.rows(this.#queries.get('q'), start, m)));
    this.#kernel.append(graph, k, v, this.#table(graph, start, m), 0);
  }

  /** The results of rows [start, start + m): [headSize, heads, m]. */
  attend(graph: Graph, start: number, m: number): Tensor {
    const { headSize, heads } = this.#kernel.shape;
    const q = graph.reshape(graph.rows(this.#queries.get('q'), start, m), headSize, heads, m);
    return this.#kernel.attend(graph, q, this.#table(graph, start, m), 0);
  }

  [Symbol.dispose](): void {
    this.#queries[Symbol.dispose]();
    this.#memory[Symbol.dispose]();
  }

  #table(graph: Graph, start: number, m: number): Tensor {
    return this.#kernel.table(graph, [this.#memory.rows(m, start, this.#rows)]);
  }
}
