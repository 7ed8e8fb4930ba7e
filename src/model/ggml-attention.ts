import { type Engine, type Processor, TensorSet } from '../ggml/engine.ts';
import type { Graph } from '../ggml/graph.ts';
import type { Tensor } from '../ggml/tensor.ts';
import type { HeadShape } from '../kernels/attention.ts';

/**
 * Attention by ggml: on GPUs, in float32, and on processors without our kernels.
 *
 * ggml's CPU backend has several kernels for attention. It picks one by shape, and they round differently. Two rules give a row
 * the same bits in every batch and chunk (x86-64 only):
 * - 64 query rows and more use another kernel than fewer. Chunks of text have at most `mostGgmlTextRows`, chunks of an image at
 *   least 64 (see chunks.ts).
 * - ggml divides the keys of a single row among the threads when there are 512 and more. It does not when the heads are
 *   split into a batch of two. Every single row is split.
 */

export const mostGgmlTextRows = 60;

/** Keys and values of one layer for one sequence: f32 or f16 [headSize * kvHeads, capacity], a row for each token. */
export interface KeysValues {
  keys: Tensor;
  values: Tensor;
}

/** Rows of a sequence that run after the rows in its cache. */
export interface GgmlRows {
  layer: (index: number) => KeysValues;
  capacity: number;
  rows: number;
  /** Keys of the sequence before these rows. */
  past: number;
}

interface Sequence extends Pick<GgmlRows, 'layer' | 'rows'> {
  /** i64 [rows]: the cache rows to which keys and values are written. */
  at: Tensor;
  /** The number of keys that are read. */
  keys: number;
  /** f16 [keys, rows] */
  mask: Tensor;
}

/** The keys of a single row are read up to a multiple of this, so that its graph can run again for later rows. */
const keysAtOnce = 256;

/** Causal attention of the rows of several sequences, each over its own keys and values. */
export class GgmlAttention {
  readonly #shape: HeadShape;
  readonly #groups: number;
  readonly #sequences: Sequence[];

  constructor(graph: Graph, shape: HeadShape, isCpu: boolean, sequences: readonly GgmlRows[]) {
    this.#shape = shape;
    this.#groups = isCpu && shape.kvHeads % 2 === 0 ? 2 : 1;
    this.#sequences = sequences.map(({ layer, capacity, rows, past }) => {
      const needed = past + rows;
      const keys = rows === 1 ? Math.min(capacity, Math.ceil(needed / keysAtOnce) * keysAtOnce) : needed;
      return {
        layer,
        rows,
        at: graph.input('i64', [rows], consecutive(past, rows)),
        keys,
        mask: graph.input('f16', [keys, rows], causalMask(past, rows, keys)),
      };
    });
  }

  /** q [headSize, heads, n], k and v [headSize, kvHeads, n] -> [headSize, heads, n]. Appends k and v first. */
  attend(graph: Graph, layer: number, q: Tensor, k: Tensor, v: Tensor): Tensor {
    const { headSize, heads, kvHeads } = this.#shape;
    const n = q.shape[2];
    const flat = (x: Tensor) => graph.reshape(graph.contiguous(x), headSize * kvHeads, n);
    const [newKeys, newValues] = [flat(k), flat(v)];
    const outputs: Tensor[] = [];
    let first = 0;
    for (const sequence of this.#sequences) {
      const { rows, at } = sequence;
      const { keys, values } = sequence.layer(layer);
      // The writes must precede the reads in the graph; nothing else orders them.
      graph.effect(graph.setRows(keys, graph.rows(newKeys, first, rows), at));
      graph.effect(graph.setRows(values, graph.rows(newValues, first, rows), at));
      outputs.push(this.#attend(graph, q, first, sequence, keys, values));
      first += rows;
    }
    return graph.reshape(
      outputs.reduce((a, b) => graph.concatRows(a, b)),
      headSize,
      heads,
      n,
    );
  }

  /** Sets the inputs for the graph's next run, with one row of each sequence. @returns false if the graph must be rebuilt */
  refill(graph: Graph, sequences: readonly GgmlRows[]): boolean {
    const fits = ({ layer, keys }: Sequence, i: number) =>
      layer === sequences[i]?.layer && sequences[i].past < keys;
    if (sequences.length !== this.#sequences.length || !this.#sequences.every(fits)) return false;
    for (const [i, { at, keys, mask }] of this.#sequences.entries()) {
      const past = sequences[i]?.past ?? 0;
      graph.refill(at, consecutive(past, 1));
      graph.refill(mask, causalMask(past, 1, keys));
    }
    return true;
  }

  /** Rows from `first` on -> [headSize * heads, rows] */
  #attend(
    graph: Graph,
    q: Tensor,
    first: number,
    { rows, keys: count, mask }: Sequence,
    keys: Tensor,
    values: Tensor,
  ): Tensor {
    const { headSize, heads, kvHeads } = this.#shape;
    const groups = rows === 1 ? this.#groups : 1;
    const queries = inGroups(graph, q, heads, groups, first, rows);
    const read = (x: Tensor) => {
      const [element, row] = x.strides;
      const split = graph.view(x, [headSize, kvHeads, count], [element * headSize, row, row * count], 0);
      return inGroups(graph, split, kvHeads, groups, 0, count);
    };
    const o = graph.attention(queries, read(keys), read(values), mask, 1 / Math.sqrt(headSize));
    return graph.reshape(o, headSize * heads, rows);
  }
}

/** Rows [first, first + count) of x [headSize, heads, n] as [headSize, count, heads / groups, groups]. */
function inGroups(
  graph: Graph,
  x: Tensor,
  heads: number,
  groups: number,
  first: number,
  count: number,
): Tensor {
  const [, head, row] = x.strides;
  const perGroup = heads / groups;
  return graph.view(x, [x.shape[0], count, perGroup, groups], [row, head, head * perGroup], first * row);
}

function consecutive(first: number, count: number): BigInt64Array {
  return BigInt64Array.from({ length: count }, (_, i) => BigInt(first + i));
}

/** [rows][keys] as f16 bits, 0 or -infinity: row i sees the first past + i + 1 keys. */
function causalMask(past: number, rows: number, keys: number): Uint16Array {
  const minusInfinity = 0xfc00;
  const mask = new Uint16Array(keys * rows);
  for (let row = 0; row < rows; row++)
    mask.fill(minusInfinity, row * keys + past + row + 1, (row + 1) * keys);
  return mask;
}

const parts = ['q', 'k', 'v'] as const;

/** Queries, keys and values of all rows of one tower layer. Each row attends to all rows. */
export class GgmlFullAttention {
  readonly #state: TensorSet<(typeof parts)[number]>;

  constructor(
    engine: Engine,
    { headSize, heads }: HeadShape,
    { rows, isFloat32, processor }: { rows: number; isFloat32: boolean; processor: Processor },
  ) {
    const sizes = [headSize, rows, heads];
    const keyType = isFloat32 ? 'f32' : 'f16';
    this.#state = new TensorSet(
      engine,
      parts.map((name) => [name, name === 'q' ? 'f32' : keyType, sizes] as const),
      processor,
    );
  }

  /** Rows from `start` on: q, k and v are [headSize, heads, m]. */
  write(graph: Graph, start: number, q: Tensor, k: Tensor, v: Tensor): void {
    for (const [name, x] of [['q', q] as const, ['k', k] as const, ['v', v] as const]) {
      const target = tokens(graph, this.#state.get(name), start, x.shape[2]);
      graph.effect(graph.copy(graph.permute(x, 0, 2, 1, 3), target));
    }
  }

  /** The results of rows [start, start + m): [headSize, heads, m]. */
  attend(graph: Graph, start: number, m: number): Tensor {
    const q = tokens(graph, this.#state.get('q'), start, m);
    return graph.attention(q, this.#state.get('k'), this.#state.get('v'), null, 1 / Math.sqrt(q.shape[0]));
  }

  [Symbol.dispose](): void {
    this.#state[Symbol.dispose]();
  }
}

/** Rows of x [headSize, n, heads] for m tokens that begin at `start`. */
function tokens(graph: Graph, x: Tensor, start: number, m: number): Tensor {
  const [, row, head, cube] = x.strides;
  return graph.view(x, [x.shape[0], m, x.shape[2]], [row, head, cube], start * row);
}
