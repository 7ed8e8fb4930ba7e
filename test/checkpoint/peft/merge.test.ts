import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../../src/checkpoint/convert.ts';
import { type AdapterSource, openAdapters } from '../../../src/checkpoint/peft/adapter.ts';
import { mergeAdapters } from '../../../src/checkpoint/peft/merge.ts';
import { readNumbers } from '../../../src/checkpoint/read-tensor.ts';
import type { NamedArray } from '../../../src/checkpoint/safetensors.ts';
import { traceCheckpoint } from '../../../src/model/trace.ts';
import { difference, expectTensors, goldenFolder, readGolden, readTensors } from '../../model/tensors.ts';
import { randomArrays, tinyConfig, writeTinyCheckpoint } from '../../model/tiny-checkpoint.ts';
import { caught } from '../caught.ts';
import { peftConfig, randomPair, randomTensor, writeAdapter } from './write-adapter.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-merge-'));
afterAll(() => rmSync(folder, { recursive: true }));
const base = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'base')));
const arrays = new Map(randomArrays(tinyConfig).map(({ name, data }) => [name, data as Float32Array]));

test.each(['official', 'saved', 'dora'])('the golden %s, merged: every tensor in float32', async (name) => {
  const file = path.join(folder, `${name}.gguf`);
  const adapters = openAdapters([goldenFolder(`lora/${name}`)]);
  const merged = mergeAdapters(openCheckpoint(goldenFolder('small')), adapters);
  const { adapted } = await convertToGguf(merged, file);
  expect(adapted).toBe({ official: 3, saved: 9, dora: 6 }[name]);
  const [input, output] = [path.join(goldenFolder('small'), 'golden.safetensors'), path.join(folder, name)];
  await traceCheckpoint({ checkpoint: file, input, output, compute: 'f32' });
  expectTensors(readTensors(output), readGolden(`lora/${name}`), 2e-4);
});

let made = 0;
const write = (tensors: readonly NamedArray[], config?: object) =>
  writeAdapter(path.join(folder, `a${made++}`), tensors, config);
const mergedNumbers = (name: string, ...sources: AdapterSource[]) =>
  readNumbers(mergeAdapters(base, openAdapters(sources)).tensors.get(name)!);

/** B A as [rows, columns]. */
function product(b: Float32Array, a: Float32Array, rows: number, r: number): Float32Array {
  const columns = a.length / r;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let k = 0; k < r; k++) sum += b[row * r + k]! * a[k * columns + column]!;
    return sum;
  });
}

const dense = 'model.layers.0.self_attn.language_expert_dense';
const own = arrays.get(`${dense}.weight`)!;
const close = (actual: Float32Array, wanted: Float32Array) =>
  expect(difference(actual, wanted).max).toBeLessThan(1e-5);

describe('the merged weights of', () => {
  test('a linear module, also in pieces that begin and end within rows', () => {
    const [a, b] = randomPair(dense, [64, 64], 2, 1);
    const adapter = write([a!, b!]);
    const wanted = product(b!.data, a!.data, 64, 2).map((value, i) => own[i]! + 2 * value);
    close(mergedNumbers(`${dense}.weight`, adapter), wanted);
    const entry = mergeAdapters(base, openAdapters([adapter])).tensors.get(`${dense}.weight`)!;
    for (const [start, count] of [
      [5, 60],
      [64, 128],
      [100, 3],
      [4000, 96],
      [0, 4096],
    ] as const)
      close(readNumbers(entry, start, count), wanted.subarray(start, start + count));
  });

  test('two adapters with factors are the sum', () => {
    const [one, other] = [randomPair(dense, [64, 64], 2, 1), randomPair(dense, [64, 64], 2, 9)];
    const [p, q] = [one, other].map(([a, b]) => product(b!.data, a!.data, 64, 2));
    const wanted = own.map((value, i) => value + 2 * (0.5 * p![i]! - q![i]!));
    close(
      mergedNumbers(`${dense}.weight`, { path: write(one), scale: 0.5 }, { path: write(other), scale: -1 }),
      wanted,
    );
  });

  test('DoRA have the stored norms', () => {
    const [a, b] = randomPair(dense, [64, 64], 2, 1);
    const length = randomTensor(`${dense}.lora_magnitude_vector`, [64], 5);
    const adapter = write([a!, b!, length], peftConfig({ use_dora: true }));
    const v = product(b!.data, a!.data, 64, 2).map((value, i) => own[i]! + 2 * value);
    const lengthOf = (row: number) => Math.hypot(...v.subarray(row * 64, (row + 1) * 64));
    close(
      mergedNumbers(`${dense}.weight`, adapter),
      v.map((value, i) => (value * length.data[Math.floor(i / 64)]!) / lengthOf(Math.floor(i / 64))),
    );
  });

  test('a convolution', () => {
    const a = randomTensor('model.vision.conv.lora_A.weight', [2, 32, 2, 2], 1);
    const b = randomTensor('model.vision.conv.lora_B.weight', [32, 2, 1, 1], 2);
    const change = product(b.data, a.data, 32, 2);
    const kernel = arrays.get('model.vision.conv.weight')!;
    close(
      mergedNumbers('model.vision.conv.weight', write([a, b])),
      kernel.map((value, i) => value + 2 * change[i]!),
    );
  });

  test('embeddings: e[id] + scale * B A[:, id]', () => {
    const a = randomTensor('model.embed_tokens.lora_embedding_A', [2, 60], 1);
    const b = randomTensor('model.embed_tokens.lora_embedding_B', [64, 2], 2);
    const table = arrays.get('model.embed_tokens.weight')!;
    const wanted = table.map((value, i) => {
      const [id, h] = [Math.floor(i / 64), i % 64];
      return value + 2 * (b.data[h * 2]! * a.data[id]! + b.data[h * 2 + 1]! * a.data[60 + id]!);
    });
    // PEFT also stores the table of the base model. It is not used.
    const stored = randomTensor('model.embed_tokens.base_layer.weight', [60, 64], 3);
    close(mergedNumbers('model.embed_tokens.weight', write([a, b, stored])), wanted);
  });

  test('replaced tensors and biases', () => {
    const norm = randomTensor('model.norm.weight', [64], 4);
    expect(mergedNumbers('model.norm.weight', write([norm]))).toEqual(norm.data);
    const name = 'model.layers.1.self_attn.vision_expert_query_key_value';
    const bias = randomTensor(`${name}.lora_B.bias`, [128], 8);
    const adapter = write([...randomPair(name, [128, 64], 2, 1), bias], peftConfig({ lora_bias: true }));
    close(
      mergedNumbers(`${name}.bias`, adapter),
      arrays.get(`${name}.bias`)!.map((value, i) => value + 2 * bias.data[i]!),
    );
  });
});

test('numbers that are not finite are refused', () => {
  const [a, b] = randomPair(dense, [64, 64], 2, 1);
  b!.data[3] = Number.NaN;
  const norm = randomTensor('model.norm.weight', [64], 4);
  norm.data[5] = Number.POSITIVE_INFINITY;
  for (const [name, adapter] of [
    [`${dense}.weight`, write([a!, b!])],
    ['model.norm.weight', write([norm])],
  ] as const) {
    const { code, message } = caught(() => mergedNumbers(name, adapter));
    expect(code).toBe('invalid_checkpoint');
    expect(message).toContain('contains a number that is not finite');
  }
});

test('a bias that the model does not have, and quantized weights, are refused', async () => {
  const bias = randomTensor(`${dense}.lora_B.bias`, [64], 8);
  const adapter = write([...randomPair(dense, [64, 64], 2, 1), bias], peftConfig({ lora_bias: true }));
  const noPlace = caught(() => mergeAdapters(base, openAdapters([adapter])));
  expect(noPlace.message).toContain(`adds ${dense}.bias, and `);
  const int8 = path.join(folder, 'int8.gguf');
  await convertToGguf(base, int8, { type: 'int8' });
  const { code, message } = caught(() =>
    mergeAdapters(openCheckpoint(int8), openAdapters([write(randomPair(dense, [64, 64], 2, 1))])),
  );
  expect(code).toBe('invalid_value');
  expect(message).toContain('Merge it into the bf16 checkpoint');
});
