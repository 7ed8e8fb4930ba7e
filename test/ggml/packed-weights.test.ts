import { afterAll, describe, expect, test, vi } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { dtypes, rowBytes } from '../../src/ggml/dtype.ts';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { ggml } from '../../src/ggml/library.ts';
import { KeptWeights, leavesRoom, PackedPass, type PackedWeights } from '../../src/ggml/packed-weights.ts';
import { Context, type Tensor } from '../../src/ggml/tensor.ts';

// ggml's own layouts; test/kernels/packed-weights.test.ts is for those of our kernels.
process.env.COGVLM2_KERNELS = 'ggml';
const engine = new Engine({ device: 'cpu', threads: 1 });
afterAll(() => engine[Symbol.dispose]());
const columns = 512;
const rows = 24;

type Packable = 'q4_0' | 'iq4_nl' | 'q4_k';

/** A random weight [512, m] in the device's memory. */
function weight(type: Packable | 'f32', seed: number, m = rows): Tensor {
  const random = randomFrom(seed);
  const values = Float32Array.from({ length: columns * m }, () => random() - 0.5);
  const context = Context.forTensors(1);
  const tensor = context.tensor(type, [columns, m]);
  engine.allocate(context);
  const bytes = new Uint8Array(rowBytes(type, columns) * m);
  if (type === 'f32') bytes.set(new Uint8Array(values.buffer));
  else ggml().run('ggml_quantize_chunk', dtypes[type].id, values, bytes, 0, m, columns, null);
  ggml().run('ggml_backend_tensor_set', tensor.pointer, bytes, 0, bytes.length);
  return tensor;
}

async function product(of: Tensor, packed?: PackedWeights, n = 5): Promise<Float32Array> {
  const random = randomFrom(9);
  const graph = new Graph(engine, packed);
  const x = graph.input('f32', [columns, n], Float32Array.from({ length: columns * n }, random));
  graph.output('y', graph.mulMat(of, x));
  return (await graph.run()).get('y') ?? new Float32Array(0);
}

/** Both layouts round rows to 8 bits in the same way, but add in another order. */
function expectAlike(actual: Float32Array, wanted: Float32Array): void {
  expect(wanted.some((value) => value !== 0)).toBe(true);
  for (const [i, value] of actual.entries()) expect(value, `index ${i}`).toBeCloseTo(wanted[i] ?? 0, 3);
}

/** Types with a layout for this processor. The tests of copies use them. */
const packable = (['q4_0', 'iq4_nl', 'q4_k'] as const).filter((type) =>
  engine.packing?.layoutOf(weight(type, 1), 'any rows'),
);

describe('packed weights', () => {
  test.runIf(process.arch === 'x64')('have four-bit types and whole groups of eight rows', () => {
    expect(packable).toEqual(['q4_0', 'iq4_nl', 'q4_k']);
    expect(engine.packing?.layoutOf(weight('q4_k', 1, 23), 'any rows')).toBeNull();
  });

  test('never have the type float32', () => {
    expect(engine.packing?.layoutOf(weight('f32', 1), 'any rows')).toBeNull();
  });

  test('may use half of the free memory', () => {
    expect(leavesRoom(4e9, 8e9)).toBe(true);
    expect(leavesRoom(4e9, 7.9e9)).toBe(false);
  });
});

describe.runIf(packable.includes('q4_0'))('kept weights', () => {
  test('give the products of the stored weights', async () => {
    const stored = weight('q4_0', 2);
    const kept = new KeptWeights(engine, [stored, weight('f32', 3)], {
      freeBytes: 1e9,
      batchInvariantOnly: true,
    });
    expect(kept.sizeBytes).toBe(rowBytes('q4_0', columns) * rows);
    const packed = await kept.ready();
    expect(packed.size).toBe(1);
    expectAlike(await product(stored, packed), await product(stored));
    expect(await kept.ready()).toBe(packed);
  });

  test.each(['q4_0', 'iq4_nl'] as const)(
    'of %s round a row in the same way for any number of rows',
    async (type) => {
      const stored = weight(type, 2);
      const packed = await new KeptWeights(engine, [stored], {
        freeBytes: 1e9,
        batchInvariantOnly: true,
      }).ready();
      const whole = await product(stored, packed, 16);
      for (const count of [1, 2, 3, 4, 5, 12])
        expect(await product(stored, packed, count)).toEqual(whole.slice(0, count * rows));
    },
  );

  test('do not exist if memory is short, and not for a type that rounds differently', async () => {
    for (const kept of [
      new KeptWeights(engine, [weight('q4_0', 2)], { freeBytes: 100, batchInvariantOnly: true }),
      new KeptWeights(engine, [weight('q4_k', 2)], { freeBytes: 1e9, batchInvariantOnly: true }),
    ]) {
      expect(kept.sizeBytes).toBe(0);
      expect((await kept.ready()).size).toBe(0);
    }
  });

  test('are packed a few at a time; after an abort, the next call continues', async () => {
    const weights = Array.from({ length: 30 }, (_, seed) => weight('q4_0', seed));
    const kept = new KeptWeights(engine, weights, { freeBytes: 1e9, batchInvariantOnly: true });
    const packing = vi.spyOn(ggml(), 'runAsync');
    const stop = new AbortController();
    const reason = new Error('enough');
    const ready = kept.ready(stop.signal);
    const beside = kept.ready();
    stop.abort(reason);
    await expect(ready).rejects.toBe(reason);
    expect(packing.mock.calls.length).toBeLessThan(10);
    const packed = await beside;
    expect(await kept.ready()).toBe(packed);
    expect(packing.mock.calls.length).toBe(30);
    packing.mockRestore();
    expectAlike(await product(weights[29]!, packed), await product(weights[29]!));
  });

  test('of a type that rounds differently are kept if a row is always alone', async () => {
    const stored = weight('q4_k', 2);
    const kept = new KeptWeights(engine, [stored], { freeBytes: 1e9, batchInvariantOnly: false });
    expectAlike(await product(stored, await kept.ready(), 1), await product(stored, undefined, 1));
  });
});

describe.each(packable)('%s', (type: Packable) => {
  test('a pass gives every layer its own weights of any shape, and can end at any layer', async () => {
    const layers = [4, 5, 6, 7, 8].map((seed) => [weight(type, seed, seed === 6 ? 2 * rows : rows)]);
    for (const last of [4, 1]) {
      const pass = new PackedPass(engine, layers);
      for (const [i, [stored]] of layers.slice(0, last + 1).entries()) {
        const packed = await pass.ready(i);
        expect(packed.size).toBe(1);
        expectAlike(await product(stored!, packed), await product(stored!));
      }
      await pass.end();
    }
  });

  test('two passes at the same time are independent', async () => {
    const layers = [11, 12, 13, 14].map((seed) => [weight(type, seed)]);
    const run = async () => {
      const pass = new PackedPass(engine, layers);
      for (const [i, [stored]] of layers.entries())
        expectAlike(await product(stored!, await pass.ready(i)), await product(stored!));
      await pass.end();
    };
    await Promise.all([run(), run()]);
  });
});

test('an engine that is disposed during packing frees the weights afterwards', async () => {
  const other = new Engine({ device: 'cpu', threads: 1 });
  const stored = weight('q4_0', 20, 8192);
  const ready = new KeptWeights(other, [stored], { freeBytes: 1e12, batchInvariantOnly: true }).ready();
  other[Symbol.dispose]();
  expect((await ready).size).toBe(packable.includes('q4_0') ? 1 : 0);
  await expect(
    new KeptWeights(other, [stored], { freeBytes: 1e12, batchInvariantOnly: true }).ready(),
  ).rejects.toMatchObject({ code: 'disposed' });
});
