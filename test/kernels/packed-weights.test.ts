import { afterAll, describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { type DType, dtypes, rowBytes } from '../../src/ggml/dtype.ts';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { ggml } from '../../src/ggml/library.ts';
import { KeptWeights, PackedPass, type PackedWeights } from '../../src/ggml/packed-weights.ts';
import { Context, type Tensor } from '../../src/ggml/tensor.ts';
import { kernels } from '../../src/kernels/library.ts';

const engine = new Engine({ device: 'cpu', threads: 1 });
afterAll(() => engine[Symbol.dispose]());
const [columns, rows] = [512, 200];

function weight(type: DType, seed: number): Tensor {
  const random = randomFrom(seed);
  const values = Float32Array.from({ length: columns * rows }, () => random() - 0.5);
  const context = Context.forTensors(1);
  const tensor = context.tensor(type, [columns, rows]);
  engine.allocate(context);
  const bytes = new Uint8Array(rowBytes(type, columns) * rows);
  ggml().run('ggml_quantize_chunk', dtypes[type].id, values, bytes, 0, rows, columns, null);
  ggml().run('ggml_backend_tensor_set', tensor.pointer, bytes, 0, bytes.length);
  return tensor;
}

/** Two products of one x in one graph, like gate and up. */
async function products(weights: readonly Tensor[], packed: PackedWeights | undefined, n: number) {
  const random = randomFrom(9);
  const graph = new Graph(engine, packed);
  const x = graph.input('f32', [columns, n], Float32Array.from({ length: columns * n }, random));
  for (const [i, each] of weights.entries()) graph.output(String(i), graph.mulMat(each, x));
  const outputs = await graph.run();
  return weights.map((_, i) => outputs.get(String(i)) ?? new Float32Array(0));
}

describe.runIf(kernels())('weights that our kernels multiply', () => {
  test.each(['q4_0', 'iq4_nl', 'q4_k', 'q6_k', 'q8_0'] as const)(
    '%s: kept copies and copies of a pass give the right products',
    async (type) => {
      const weights = [weight(type, 1), weight(type, 2)];
      const kept = await new KeptWeights(engine, weights, {
        freeBytes: 1e9,
        batchInvariantOnly: true,
      }).ready();
      const pass = new PackedPass(engine, [weights]);
      expect([...kept.values()].map((copy) => copy.type)).toEqual(['i8', 'i8']);
      const wanted = await products(weights, undefined, 70);
      for (const packed of [kept, await pass.ready(0)]) {
        const whole = await products(weights, packed, 70);
        for (const [i, values] of whole.entries()) {
          const errors = values.map((value, at) => Math.abs(value - (wanted[i]?.[at] ?? 0)));
          expect(errors.reduce((most, error) => Math.max(most, error), 0)).toBeLessThan(0.2);
          expect(values.some((value) => value !== 0)).toBe(true);
          for (const n of [1, 2, 5, 33])
            expect((await products(weights, packed, n))[i]).toEqual(values.slice(0, n * rows));
        }
      }
      await pass.end();
    },
  );
});
