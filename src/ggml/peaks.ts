import { type DType, dtypes, rowBytes } from './dtype.ts';
import type { Engine } from './engine.ts';
import { Graph } from './graph.ts';
import { ggml } from './library.ts';
import { availableMemoryBytes } from './machine.ts';
import { KeptWeights, PackedPass, type PackedWeights } from './packed-weights.ts';
import { Context, type Tensor } from './tensor.ts';

/** The speed of products with weights of one type on this machine. */
export interface TypeRate {
  type: DType;
  /** Whether the weights were multiplied from the CPU's own layout. */
  packed: boolean;
  /** A product of a large matrix with 256 rows: bound by arithmetic. */
  flopPerSecond: number;
  /** With one row: bound by reading the weights. Counts bytes of the stored weights, not of the copy. */
  bytesPerSecond: number;
}

/** As wide as a decoder's, with so many rows that no cache holds the matrix in any type. */
const columns = 4096;
export const peakRows = 28_672;
const wideRows = 256;

/** The best of three products with each of the types. Takes about a second a type on two cores. */
export async function measureRates(
  engine: Engine,
  types: readonly DType[],
  rows: number,
): Promise<TypeRate[]> {
  const rates: TypeRate[] = [];
  for (const type of types) {
    const context = Context.forTensors(1);
    const weight = context.tensor(type, [columns, rows]);
    const memory = engine.allocate(context);
    fill(weight);
    const pass = new PackedPass(engine, [[weight]]);
    const kept = new KeptWeights(engine, [weight], {
      freeBytes: availableMemoryBytes(),
      batchInvariantOnly: false,
    });
    try {
      const packed = await pass.ready(0);
      const wideMs = await bestMs(engine, weight, packed, wideRows);
      const narrowMs = await bestMs(engine, weight, await kept.ready(), 1);
      rates.push({
        type,
        packed: packed.size > 0,
        flopPerSecond: (2 * columns * rows * wideRows) / (wideMs / 1000),
        bytesPerSecond: (rowBytes(type, columns) * rows) / (narrowMs / 1000),
      });
    } finally {
      await pass.end();
      kept.free();
      memory.free();
    }
  }
  return rates;
}

async function bestMs(engine: Engine, weight: Tensor, packed: PackedWeights, n: number): Promise<number> {
  const x = new Float32Array(columns * n).fill(0.5);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const graph = new Graph(engine, packed);
    graph.effect(graph.mulMat(weight, graph.input('f32', [columns, n], x)));
    const start = performance.now();
    await graph.run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Ordinary numbers, because a CPU is slow with denormal ones. All rows are equal. */
function fill(weight: Tensor): void {
  const lib = ggml();
  const { type } = weight;
  const values = Float32Array.from({ length: columns }, (_, i) => Math.sin(i));
  const row = new Uint8Array(rowBytes(type, columns));
  if (type === 'f32') row.set(new Uint8Array(values.buffer));
  else lib.run('ggml_quantize_chunk', dtypes[type].id, values, row, 0, 1, columns, null);
  for (let i = 0; i < weight.shape[1]; i++)
    lib.run('ggml_backend_tensor_set', weight.pointer, row, i * row.length, row.length);
}
