import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import type { NamedArray } from '../../src/checkpoint/safetensors.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import { promptRows, randomArrays, tinyConfig, writeTinyCheckpoint } from '../model/tiny-checkpoint.ts';
import { rejected } from './caught.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-load-'));
afterAll(() => rmSync(folder, { recursive: true }));

const arrays = randomArrays(tinyConfig);
const load = async (location: string) => Model.load(openCheckpoint(location), { device: 'cpu', threads: 1 });

const replaced = (name: string, change: (array: NamedArray) => NamedArray[]) =>
  arrays.flatMap((array) => (array.name === name ? change(array) : [array]));

const down = 'model.layers.1.mlp.vision_mlp.down_proj.weight';

test('loading reports the bytes that were read, up to all bytes', async () => {
  const location = writeTinyCheckpoint(path.join(folder, 'whole'), { arrays });
  const reports: [number, number][] = [];
  using model = await Model.load(openCheckpoint(location), {
    device: 'cpu',
    threads: 1,
    onLoad: (done, total) => reports.push([done, total]),
  });
  expect(model.isFloat32).toBe(true);
  const [done, total] = reports.at(-1)!;
  expect(done).toBe(total);
  expect(total).toBeGreaterThan(0);
});

test('tensors at odd addresses, after a header of odd length, give the same results', async () => {
  const aligned = writeTinyCheckpoint(path.join(folder, 'aligned'), { arrays });
  const odd = writeTinyCheckpoint(path.join(folder, 'odd'), { arrays });
  const file = path.join(odd, 'model.safetensors');
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE());
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length + 1));
  writeFileSync(
    file,
    Buffer.concat([prefix, bytes.subarray(8, 8 + length), Buffer.from(' '), bytes.subarray(8 + length)]),
  );
  const logits = async (location: string) => {
    using model = await load(location);
    using cache = model.newCache(8);
    return await model.prefill(promptRows([4, 8, 15], 0), cache, { image: null });
  };
  expect(await logits(odd)).toEqual(await logits(aligned));
});

test.each([
  ['a missing tensor', replaced(down, () => []), [`no tensor ${down} [64, 96]`]],
  [
    'an extra tensor',
    [...arrays, { name: 'model.extra.weight', shape: [2], data: Float32Array.of(1, 2) }],
    ['1 tensors', 'model.extra.weight'],
  ],
  [
    'a transposed tensor',
    replaced(down, (array) => [{ ...array, shape: [96, 64] }]),
    [down, 'model.safetensors', '[96, 64]', '[64, 96]'],
  ],
  [
    'a flattened tensor',
    replaced('model.vision.boi', (array) => [{ ...array, shape: [64] }]),
    ['model.vision.boi', '[64]', '[1, 1, 64]'],
  ],
  [
    'rotary frequencies of another head size',
    [
      ...arrays,
      ...[0, 1].map((i) => ({
        name: `model.layers.${i}.self_attn.rotary_emb.inv_freq`,
        shape: [9],
        data: new Float32Array(9).fill(1),
      })),
    ],
    ['rotary_emb.inv_freq', '[9]', '[8]'],
  ],
])('refuses %s', async (what, changed, parts) => {
  const location = writeTinyCheckpoint(path.join(folder, what.replaceAll(' ', '-')), { arrays: changed });
  const error = await rejected(load(location));
  expect(error.code).toBe('invalid_checkpoint');
  for (const part of parts) expect(error.message).toContain(part);
  // The same check without loading.
  expect(() => Model.check(openCheckpoint(location))).toThrow(error.message);
});

test.each([
  ['more layers', { num_hidden_layers: 3 }, 'model.layers.2.'],
  ['fewer layers', { num_hidden_layers: 1 }, 'model.layers.1.'],
  ['another vocabulary', { vocab_size: 61 }, 'model.embed_tokens.weight'],
])('refuses a config with %s than the tensors', async (what, change, part) => {
  const config = { ...tinyConfig, ...change };
  const location = writeTinyCheckpoint(path.join(folder, what.replaceAll(' ', '-')), { config, arrays });
  const error = await rejected(load(location));
  expect(error.code).toBe('invalid_checkpoint');
  expect(error.message).toContain(part);
});

/** The header of the tiny checkpoint's file with one tensor described otherwise; its data stays. */
function describedAs(
  what: string,
  name: string,
  change: (tensor: { dtype: string; shape: number[]; data_offsets: number[] }) => void,
) {
  const location = writeTinyCheckpoint(path.join(folder, what), { arrays });
  const file = path.join(location, 'model.safetensors');
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes));
  change(header[name]);
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(file, Buffer.concat([prefix, text, bytes.subarray(8 + headerBytes)]));
  return location;
}

const norm = 'model.layers.0.input_layernorm.weight';

test.each(['I64', 'I32'])(
  'refuses a weight of type %s, for which ggml would abort the process',
  async (dtype) => {
    const location = describedAs(`weight-${dtype}`, norm, (tensor) => {
      tensor.dtype = dtype;
      tensor.data_offsets = [0, 64 * (dtype === 'I64' ? 8 : 4)];
    });
    const error = await rejected(load(location));
    expect(error).toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringContaining(`${norm} in ${location}/model.safetensors is of type ${dtype}`),
    });
  },
);

test('refuses a weight without elements', async () => {
  const location = describedAs('weight-empty', norm, (tensor) => {
    tensor.shape = [0];
    tensor.data_offsets = [0, 0];
  });
  expect((await rejected(load(location))).message).toContain('is [0], which has no elements');
});

test('refuses a file that becomes shorter after its header was read', async () => {
  const location = writeTinyCheckpoint(path.join(folder, 'shorter'), { arrays });
  const checkpoint = openCheckpoint(location);
  truncateSync(path.join(location, 'model.safetensors'), 100_000);
  const error = await rejected(Model.load(checkpoint, { device: 'cpu', threads: 1 }));
  expect(error).toMatchObject({
    code: 'invalid_checkpoint',
    message: expect.stringMatching(
      /model.safetensors has become shorter while it was opened: .* ends at byte/,
    ),
  });
});

test('a checkpoint that can be loaded passes the check', () => {
  Model.check(openCheckpoint(writeTinyCheckpoint(path.join(folder, 'whole'), { arrays })));
});

test('an aborted load stops', async () => {
  const location = writeTinyCheckpoint(path.join(folder, 'aborted'), { arrays });
  const options = { device: 'cpu', threads: 1, signal: AbortSignal.abort() };
  await expect(Model.load(openCheckpoint(location), options)).rejects.toThrow();
});
