import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { ggml } from '../../src/ggml/library.ts';
import { Context, type Tensor } from '../../src/ggml/tensor.ts';
import { AttentionKernel, type HeadShape, packedType } from '../../src/kernels/attention.ts';
import { difference } from '../model/tensors.ts';
import { eachVariant } from './each-variant.ts';
import { sameBits } from './same-bits.ts';

/** q [n, heads, d], k and v [keys, kvHeads, d]; row i of q attends to the first `seen(i)` keys. In float64. */
function reference(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  shape: HeadShape,
  seen: (row: number) => number,
) {
  const { headSize: d, heads, kvHeads } = shape;
  const n = q.length / (d * heads);
  const out = new Float32Array(q.length);
  const vector = (x: Float32Array, row: number, head: number, count: number) =>
    x.subarray((row * count + head) * d, (row * count + head + 1) * d);
  for (let row = 0; row < n; row++) {
    for (let head = 0; head < heads; head++) {
      const kvHead = Math.floor((head * kvHeads) / heads);
      const query = vector(q, row, head, heads);
      const scores = new Float64Array(seen(row));
      for (let i = 0; i < scores.length; i++) {
        const key = vector(k, i, kvHead, kvHeads);
        let sum = 0;
        for (let j = 0; j < d; j++) sum += query[j]! * key[j]!;
        scores[i] = sum / Math.sqrt(d);
      }
      const top = scores.reduce((a, b) => Math.max(a, b));
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((a, b) => a + b);
      const result = vector(out, row, head, heads);
      const sums = new Float64Array(d);
      for (let i = 0; i < weights.length; i++) {
        const value = vector(v, i, kvHead, kvHeads);
        for (let j = 0; j < d; j++) sums[j]! += weights[i]! * value[j]!;
      }
      result.set(sums.map((sum) => sum / total));
    }
  }
  return out;
}

interface Case {
  shape: HeadShape;
  /** Rows of q, k and v. */
  rows: number;
  isCausal: boolean;
}

const random = randomFrom(5);
const numbers = (count: number) => Float32Array.from({ length: count }, () => (random() - 0.5) * 3.5);

function inputs({ shape: { headSize, heads, kvHeads }, rows }: Case) {
  const [q, kv] = [headSize * heads * rows, headSize * kvHeads * rows];
  return { q: numbers(q), k: numbers(kv), v: numbers(kv) };
}

interface Run {
  /** Rows in each graph. */
  chunks: readonly number[];
  threads?: number;
  capacity?: number;
  /** The initial content of the memory for keys and values. */
  fill?: number;
}

/** Runs one sequence, chunk by chunk. */
async function run(
  kernels: ReturnType<typeof eachVariant>[number]['kernels'],
  c: Case,
  x: ReturnType<typeof inputs>,
  r: Run,
) {
  const { headSize, heads, kvHeads } = c.shape;
  const threads = r.threads ?? 1;
  using engine = new Engine({ device: 'cpu', threads });
  const kernel = new AttentionKernel(kernels, c.shape, threads);
  const capacity = r.capacity ?? c.rows;
  const context = Context.forTensors(1);
  // The second of two layers. Its memory must be separate.
  const memory = context.tensor(packedType, kernel.packedSizes(2, capacity));
  engine.allocate(context);
  const lib = ggml();
  const bytes = new Uint8Array(kernel.packedBytes(2, capacity)).fill(r.fill ?? 0);
  lib.run('ggml_backend_tensor_set', memory.pointer, bytes, 0, bytes.length);
  const address = BigInt(lib.number('ggml_get_data', memory.pointer));
  const out = new Float32Array(x.q.length);
  for (let at = 0, i = 0; at < c.rows; i++) {
    const rows = Math.min(r.chunks[i % r.chunks.length]!, c.rows - at);
    const graph = new Graph(engine);
    const part = (data: Float32Array, count: number) =>
      unaligned(
        graph,
        data.subarray(at * count * headSize, (at + rows) * count * headSize),
        headSize,
        count,
        rows,
      );
    const sequence = { address, capacity, rows, at, keys: c.isCausal ? null : c.rows };
    const table = kernel.table(graph, [sequence]);
    kernel.append(graph, part(x.k, kvHeads), part(x.v, kvHeads), table, 1);
    graph.output('o', kernel.attend(graph, part(x.q, heads), table, 1));
    out.set((await graph.run()).get('o')!, at * heads * headSize);
    at += rows;
  }
  return out;
}

/** [headSize, count, rows] as a view that begins in the middle of a vector, with a gap after each row. */
function unaligned(graph: Graph, data: Float32Array, headSize: number, count: number, rows: number): Tensor {
  const width = headSize * count + 3;
  const padded = new Float32Array(width * rows);
  for (let row = 0; row < rows; row++)
    padded.set(data.subarray(row * headSize * count, (row + 1) * headSize * count), row * width + 1);
  const whole = graph.input('f32', [width, rows], padded);
  return graph.view(whole, [headSize, count, rows], [4 * headSize, 4 * width, 4 * width * rows], 4);
}

const heads = (headSize: number, heads: number, kvHeads = heads): HeadShape => ({ headSize, heads, kvHeads });
const cases: [string, Case][] = [
  ['the tower: all keys', { shape: heads(112, 3), rows: 130, isCausal: false }],
  ['one row', { shape: heads(112, 2), rows: 1, isCausal: false }],
  ['two rows', { shape: heads(16, 1), rows: 2, isCausal: true }],
  ['one row more than a tile', { shape: heads(64, 2), rows: 97, isCausal: false }],
  ['one row more than a large tile', { shape: heads(16, 1), rows: 193, isCausal: true }],
  ['one key more than a block', { shape: heads(32, 2), rows: 257, isCausal: false }],
  ['the decoder: grouped heads', { shape: heads(128, 8, 2), rows: 140, isCausal: true }],
  ['one head of keys for all heads', { shape: heads(48, 6, 1), rows: 70, isCausal: true }],
  ['no groups', { shape: heads(80, 3), rows: 150, isCausal: true }],
  ['large heads', { shape: heads(256, 2, 1), rows: 40, isCausal: true }],
  ['many keys', { shape: heads(16, 2, 1), rows: 600, isCausal: true }],
];

const problems = new Map<string, { x: ReturnType<typeof inputs>; wanted: Float32Array }>();

/** The same for every variant. */
function problem(name: string, c: Case) {
  const x = inputs(c);
  const seen = (row: number) => (c.isCausal ? row + 1 : c.rows);
  const made = problems.get(name) ?? { x, wanted: reference(x.q, x.k, x.v, c.shape, seen) };
  problems.set(name, made);
  return made;
}

const variants = eachVariant();

describe.each(variants)('$variant', ({ kernels, variant }) => {
  // Keys, values and probabilities are rounded to 8 bits of mantissa in bf16, to 11 in f16.
  const limit = variant === 'amx' || variant === 'avx512bf16' ? 6e-3 : 6e-4;

  test.each(cases)('%s', { timeout: 60_000 }, async (name, c) => {
    const { x, wanted } = problem(name, c);
    const actual = await run(kernels, c, x, { chunks: [c.rows] });
    expect(difference(actual, wanted).rms).toBeLessThan(limit);
  });

  test.each(cases.filter(([, { isCausal }]) => isCausal))(
    '%s: the same bits in chunks, on threads, in a longer memory full of NaN',
    { timeout: 60_000 },
    async (_, c) => {
      const x = inputs(c);
      const whole = await run(kernels, c, x, { chunks: [c.rows] });
      const inChunks = { chunks: [1, 37, 5, 100], threads: 3, capacity: c.rows + 300, fill: 0xff };
      expect(sameBits(await run(kernels, c, x, inChunks), whole)).toBe(true);
      if (c.rows > 100) return;
      expect(sameBits(await run(kernels, c, x, { chunks: [1], fill: 0x7f }), whole)).toBe(true);
    },
  );

  test('several sequences in one graph have the results of each alone', async () => {
    const shape = heads(64, 4, 2);
    const lengths = [1, 300, 17, 65];
    const all = lengths.map((rows) => ({
      c: { shape, rows, isCausal: true },
      x: inputs({ shape, rows, isCausal: true }),
    }));
    const alone: Float32Array[] = [];
    for (const { c, x } of all) alone.push(await run(kernels, c, x, { chunks: [c.rows] }));
    using engine = new Engine({ device: 'cpu', threads: 2 });
    const kernel = new AttentionKernel(kernels, shape, 2);
    const context = Context.forTensors(lengths.length);
    const memory = lengths.map((rows) => context.tensor(packedType, kernel.packedSizes(1, rows)));
    engine.allocate(context);
    const graph = new Graph(engine);
    const join = (part: (x: ReturnType<typeof inputs>) => Float32Array, count: number) => {
      const data = Float32Array.from(all.flatMap(({ x }) => [...part(x)]));
      return graph.input('f32', [64, count, data.length / 64 / count], data);
    };
    const table = kernel.table(
      graph,
      lengths.map((rows, i) => ({
        address: BigInt(ggml().number('ggml_get_data', memory[i]!.pointer)),
        capacity: rows,
        rows,
        at: 0,
        keys: null,
      })),
    );
    kernel.append(
      graph,
      join(({ k }) => k, 2),
      join(({ v }) => v, 2),
      table,
      0,
    );
    graph.output(
      'o',
      kernel.attend(
        graph,
        join(({ q }) => q, 4),
        table,
        0,
      ),
    );
    const together = (await graph.run()).get('o');
    expect(sameBits(together, Float32Array.from(alone.flatMap((part) => [...part])))).toBe(true);
  });

  test('NaN and infinity affect their row and later rows only', async () => {
    const c: Case = { shape: heads(32, 4, 2), rows: 90, isCausal: true };
    const d = c.shape.headSize;
    const seen = (row: number) => row + 1;
    for (const [name, value] of [
      ['k', Number.NaN],
      ['v', Number.NaN],
      ['q', Number.NaN],
      ['v', Number.POSITIVE_INFINITY],
      ['k', Number.POSITIVE_INFINITY],
    ] as const) {
      const x = inputs(c);
      // Row 41 of the first head.
      x[name][41 * d * (name === 'q' ? 4 : 2) + 3] = value;
      const actual = await run(kernels, c, x, { chunks: [c.rows] });
      const wanted = reference(x.q, x.k, x.v, c.shape, seen);
      const kinds = (y: Float32Array) =>
        Array.from(y, (z) => (Number.isNaN(z) ? 'NaN' : Number.isFinite(z) ? 'finite' : String(z)));
      expect(kinds(actual), `${name} ${value}`).toEqual(kinds(wanted));
    }
  });

  test('keys of very different sizes, and keys of zeros', async () => {
    const c: Case = { shape: heads(112, 2), rows: 150, isCausal: true };
    const x = inputs(c);
    const width = c.shape.headSize * c.shape.kvHeads;
    const factors = [1, 1e-3, 0, 2];
    const k = x.k.map((value, i) => value * factors[Math.floor(i / width) % factors.length]!);
    const actual = await run(kernels, c, { ...x, k }, { chunks: [c.rows] });
    const wanted = reference(x.q, k, x.v, c.shape, (row) => row + 1);
    expect(difference(actual, wanted).rms).toBeLessThan(2 * limit);
  });

  test('extreme scores', async () => {
    const c: Case = { shape: heads(16, 1), rows: 20, isCausal: false };
    const x = inputs(c);
    const large = { ...x, q: x.q.map((value) => value * 1e4) };
    const actual = await run(kernels, c, large, { chunks: [20] });
    // The largest score decides. Rounding the queries hardly changes it.
    expect(actual.every(Number.isFinite)).toBe(true);
    const zeros = { ...x, q: x.q.map(() => 0) };
    const mean = await run(kernels, c, zeros, { chunks: [20] });
    expect(
      difference(
        mean,
        reference(zeros.q, x.k, x.v, c.shape, () => 20),
      ).rms,
    ).toBeLessThan(limit);
  });
});

test('wrong shapes throw an error, and the process continues', () => {
  const [first] = variants;
  if (!first) return;
  using engine = new Engine({ device: 'cpu', threads: 1 });
  const kernel = new AttentionKernel(first.kernels, heads(32, 4, 2), 1);
  const graph = new Graph(engine);
  const f32 = (...sizes: number[]) =>
    graph.input('f32', sizes, new Float32Array(sizes.reduce((a, b) => a * b)));
  const sequence = { address: 64n, capacity: 100, rows: 4, at: 0, keys: null };
  const table = kernel.table(graph, [sequence]);
  expect(() => kernel.attend(graph, f32(32, 3, 4), table, 0)).toThrow('f32 [32, 3, 4, 1]');
  expect(() => kernel.attend(graph, f32(16, 4, 4), table, 0)).toThrow('f32 [16, 4, 4, 1]');
  expect(() => kernel.attend(graph, f32(32, 4, 4), f32(6, 1), 0)).toThrow('f32 [6, 1, 1, 1]');
  expect(() => kernel.append(graph, f32(32, 2, 4), f32(32, 2, 5), table, 0)).toThrow('[32, 2, 5, 1]');
  for (const wrong of [{ at: 97 }, { at: -1 }, { rows: 0 }, { keys: 101 }, { keys: 0 }, { rows: 1.5 }])
    expect(() => kernel.tableData([{ ...sequence, ...wrong }]), JSON.stringify(wrong)).toThrow(
      'do not fit into 100',
    );
});
