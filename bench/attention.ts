/**
 * Measures attention with the shapes of the 19 B model, for each variant of our kernels that this processor can run, and for ggml:
 *
 *     npx tsx bench/attention.ts [--threads N]
 *
 * Prints GFLOP/s, the best of five runs. The variants run in turns, so that other load on the machine affects all of them.
 */
import { parseArgs } from 'node:util';
import { defaultThreads, Engine, TensorSet } from '../src/ggml/engine.ts';
import { Graph } from '../src/ggml/graph.ts';
import { ggml } from '../src/ggml/library.ts';
import { Context } from '../src/ggml/tensor.ts';
import { AttentionKernel, packedType } from '../src/kernels/attention.ts';
import type { Kernels } from '../src/kernels/kernels.ts';
import { GgmlAttention, GgmlFullAttention } from '../src/model/ggml-attention.ts';
import { eachVariant } from '../test/kernels/each-variant.ts';

const { values: flags } = parseArgs({ options: { threads: { type: 'string' } } });
const threads = Number(flags.threads ?? defaultThreads());
const engine = new Engine({ device: 'cpu', threads });

interface Shape {
  name: string;
  headSize: number;
  heads: number;
  kvHeads: number;
  sequences: number;
  /** Rows of each sequence. */
  rows: number;
  past: number;
  isCausal: boolean;
}

const tower = { headSize: 112, heads: 16, kvHeads: 16 };
const decoder = { headSize: 128, heads: 32, kvHeads: 8 };
const shapes: Shape[] = [
  { name: 'tower: 1,024 of 9,217 rows', ...tower, sequences: 1, rows: 1024, past: 8193, isCausal: false },
  { name: 'prompt: 512 rows after 1,793', ...decoder, sequences: 1, rows: 512, past: 1793, isCausal: true },
  { name: 'decode: 16 sequences of 2,330', ...decoder, sequences: 16, rows: 1, past: 2330, isCausal: true },
  { name: 'decode: 1 sequence of 2,330', ...decoder, sequences: 1, rows: 1, past: 2330, isCausal: true },
];

function flop({ headSize, heads, sequences, rows, past, isCausal }: Shape): number {
  const pairs = isCausal ? rows * past + (rows * (rows + 1)) / 2 : rows * (past + rows);
  return 4 * headSize * heads * pairs * sequences;
}

function random(graph: Graph, ...sizes: number[]) {
  const count = sizes.reduce((a, b) => a * b);
  return graph.input(
    'f32',
    sizes,
    Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7)),
  );
}

/** Returns a function that runs the attention once and returns its time. */
type Run = () => Promise<number>;

async function timed(build: (graph: Graph) => void): Promise<number> {
  const graph = new Graph(engine);
  build(graph);
  const start = performance.now();
  await graph.run();
  return performance.now() - start;
}

function withKernels(kernels: Kernels, shape: Shape): Run {
  const { headSize, heads, kvHeads, sequences, rows, past } = shape;
  const kernel = new AttentionKernel(kernels, shape, threads);
  const capacity = past + rows;
  const context = Context.forTensors(sequences);
  const memory = Array.from({ length: sequences }, () =>
    context.tensor(packedType, kernel.packedSizes(1, capacity)),
  );
  engine.allocate(context);
  for (const { pointer } of memory) {
    const ones = new Uint16Array(kernel.packedBytes(1, capacity) / 2).fill(0x3c00);
    ggml().run('ggml_backend_tensor_set', pointer, ones, 0, ones.byteLength);
  }
  return () =>
    timed((graph) => {
      const n = rows * sequences;
      const keys = shape.isCausal ? null : capacity;
      const table = kernel.table(
        graph,
        memory.map(({ pointer }) => {
          const address = BigInt(ggml().number('ggml_get_data', pointer));
          return { address, capacity, rows, at: past, keys };
        }),
      );
      const k = random(graph, headSize, kvHeads, n);
      if (shape.isCausal) kernel.append(graph, k, k, table, 0);
      graph.effect(kernel.attend(graph, random(graph, headSize, heads, n), table, 0));
    });
}

function withGgml(shape: Shape): Run {
  const { headSize, heads, kvHeads, sequences, rows, past, isCausal } = shape;
  const capacity = past + rows;
  if (!isCausal) {
    const options = { rows: capacity, isFloat32: false, processor: 'cpu' } as const;
    const full = new GgmlFullAttention(engine, shape, options);
    return () => timed((graph) => graph.effect(full.attend(graph, 0, rows)));
  }
  const sizes = [headSize * kvHeads, capacity];
  const states = Array.from(
    { length: sequences },
    () => new TensorSet(engine, [['k', 'f16', sizes] as const, ['v', 'f16', sizes] as const]),
  );
  return () =>
    timed((graph) => {
      const n = rows * sequences;
      const layers = states.map((state) => () => ({ keys: state.get('k'), values: state.get('v') }));
      const attention = new GgmlAttention(
        graph,
        shape,
        true,
        layers.map((layer) => ({ layer, capacity, rows, past })),
      );
      const k = random(graph, headSize, kvHeads, n);
      graph.effect(attention.attend(graph, 0, random(graph, headSize, heads, n), k, k));
    });
}

for (const shape of shapes) {
  const runs = new Map<string, Run>([['ggml', withGgml(shape)]]);
  for (const { variant, kernels } of eachVariant()) runs.set(variant, withKernels(kernels, shape));
  const best = new Map<string, number>();
  for (let i = 0; i < 5; i++) {
    for (const [name, run] of runs) best.set(name, Math.min(best.get(name) ?? Infinity, await run()));
  }
  const rates = [...best].map(([name, ms]) => `${name} ${Math.round(flop(shape) / ms / 1e6)}`);
  console.log(`${shape.name}, ${threads} threads, GFLOP/s: ${rates.join(', ')}`);
}
process.exit(0);
