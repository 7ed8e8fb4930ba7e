/** Unpacked weights equal those of bitsandbytes to the last bit. The make.py of the fixtures describes them. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { joinPacked } from '../../src/checkpoint/bitsandbytes.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { readNumbers, readTensorBytes } from '../../src/checkpoint/read-tensor.ts';
import { asTensor, readSafetensors, readStored } from '../../src/checkpoint/safetensors.ts';
import type { PresetName } from '../../src/checkpoint/type-preset.ts';
import type { Checkpoint, TensorEntry } from '../../src/checkpoint/types.ts';
import { dtypes } from '../../src/ggml/dtype.ts';
import { pieceElements } from '../../src/ggml/quantize.ts';
import { CogVLM2 } from '../../src/index.ts';
import { Model, type ModelOptions } from '../../src/model/cogvlm2.ts';
import { planModel } from '../../src/model/plan-model.ts';
import { goldenFolder } from '../model/tensors.ts';
import { promptRows } from '../model/tiny-checkpoint.ts';
import { caught } from './caught.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-bitsandbytes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fixtures = 'test/fixtures/bitsandbytes';
const small = openCheckpoint(`${fixtures}/small`);
const { sha256 }: { sha256: Record<string, string> } = JSON.parse(
  readFileSync(`${fixtures}/small/expected.json`, 'utf8'),
);

function bytesOf(entry: TensorEntry): Uint8Array {
  const bytes = new Uint8Array(entry.sizeBytes);
  readTensorBytes(entry, 0, bytes);
  return bytes;
}

const hashes = ({ tensors }: Checkpoint) =>
  Object.fromEntries(
    Array.from(tensors, ([name, entry]) => [name, createHash('sha256').update(bytesOf(entry)).digest('hex')]),
  );

async function converted(type?: PresetName) {
  const file = path.join(folder, `${type ?? 'stored'}.gguf`);
  const conversion = await convertToGguf(small, file, { type });
  return { conversion, checkpoint: openCheckpoint(file) };
}

const cases = joinPacked(
  new Map(readStored(`${fixtures}/cases.safetensors`).map((stored) => [stored.name, stored])),
);

test.each(
  readSafetensors(`${fixtures}/expected.safetensors`).map((wanted) => [wanted.name, wanted] as const),
)('%s has the values of bitsandbytes', (name, wanted) => {
  const entry = asTensor(cases.get(name)!);
  expect(entry).toMatchObject({ type: wanted.type, shape: wanted.shape, sizeBytes: wanted.sizeBytes });
  // Adding 0 turns -0 into 0, because bitsandbytes unpacks one code of fp4 sometimes to 0 and sometimes to -0.
  const numbers = (tensor: TensorEntry) => readNumbers(tensor).map((value) => value + 0);
  expect(numbers(entry)).toEqual(numbers(wanted));
  if (name.startsWith('nf4')) expect(bytesOf(entry)).toEqual(bytesOf(wanted));
});

test('all tensors of the cases are used', () => {
  expect(cases.size).toBe(readSafetensors(`${fixtures}/expected.safetensors`).length);
});

test('a checkpoint of two shards has its unpacked tensors, to the last bit', () => {
  const golden = openCheckpoint(goldenFolder('small'));
  const shapes = ({ tensors }: Checkpoint) =>
    Object.fromEntries(Array.from(tensors, ([name, { type, shape }]) => [name, [type, ...shape]]));
  expect(shapes(small)).toEqual(shapes(golden));
  expect(hashes(small)).toEqual(sha256);
});

test('is converted exactly without a type and to bf16', async () => {
  for (const type of [undefined, 'bf16'] as const) {
    const { conversion, checkpoint } = await converted(type);
    expect(hashes(checkpoint)).toEqual(sha256);
    expect(conversion.unpacked).toEqual({ tensors: 46, changed: 0 });
  }
});

test('is converted to 8 bits like the exact bf16 file, and the report says that values changed', async () => {
  const { conversion, checkpoint } = await converted('int8');
  expect(conversion.unpacked).toEqual({ tensors: 46, changed: 46 });
  const again = path.join(folder, 'again.gguf');
  await convertToGguf((await converted('bf16')).checkpoint, again, { type: 'int8' });
  expect(hashes(openCheckpoint(again))).toEqual(hashes(checkpoint));
});

test.each(['stored', 'f32'] as const)(
  'loads without conversion (%s), and computes the results of its bf16 file',
  async (compute) => {
    const logits = async (checkpoint: Checkpoint) => {
      const options: ModelOptions = { device: 'cpu', threads: 1, compute };
      const reports: [number, number][] = [];
      using model = await Model.load(checkpoint, { ...options, onLoad: (...report) => reports.push(report) });
      expect(reports.at(-1)?.[0]).toBe(reports.at(-1)?.[1]);
      using cache = model.newCache(8);
      return await model.prefill(promptRows([4, 8, 15], 0), cache, { image: null });
    };
    expect(await logits(small)).toEqual(await logits((await converted('bf16')).checkpoint));
  },
);

test('answers about an image', async () => {
  const model = path.join(folder, 'asked');
  cpSync(small.path, model, { recursive: true });
  cpSync('test/fixtures/text/tokenizer.json', path.join(model, 'tokenizer.json'));
  using asked = await CogVLM2.load({ model, device: 'cpu' });
  expect(asked.info.types.nf4).toBeGreaterThan(0);
  const { usage } = await asked.ask('test/fixtures/images/tiny.png', 'What?', { maxTokens: 3 }).result();
  expect(usage.completionTokens).toBeGreaterThan(0);
});

test('a plan counts unpacked weights as permanent memory', () => {
  const options = { device: 'cpu', compute: 'stored' } as const;
  const golden = planModel(openCheckpoint(goldenFolder('small')), options).plan;
  const { plan } = planModel(small, options);
  expect(plan.parts).toEqual(golden.parts);
  const stays = plan.parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  expect(plan.devices[0]!.neededBytes).toBeGreaterThan(stays);
  expect(golden.devices[0]!.neededBytes).toBeLessThan(plan.devices[0]!.neededBytes);
});

interface Part {
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}
type Parts = Record<string, Part>;

const packed = 'model.layers.0.mlp.up_proj.weight';
const state = {
  quant_type: 'nf4',
  blocksize: 64,
  dtype: 'bfloat16',
  shape: [4, 50],
  nested_blocksize: 256,
  nested_dtype: 'float32',
  nested_offset: 0.5,
};
const text = (json: string) => ({ dtype: 'U8', shape: [json.length], bytes: Buffer.from(json) });
const floats = (count: number) => ({ dtype: 'F32', shape: [count], bytes: new Uint8Array(count * 4) });
const octets = (count: number) => ({ dtype: 'U8', shape: [count, 1], bytes: new Uint8Array(count) });
const stateName = `${packed}.quant_state.bitsandbytes__nf4`;
const whole: Parts = {
  [packed]: octets(100),
  [`${packed}.absmax`]: octets(4),
  [`${packed}.quant_map`]: floats(16),
  [`${packed}.nested_absmax`]: floats(1),
  [`${packed}.nested_quant_map`]: floats(256),
  [stateName]: text(JSON.stringify(state)),
};

/** Writes a folder with these tensors. */
function write(name: string, parts: Parts): string {
  const location = path.join(folder, name.replaceAll(' ', '-'));
  cpSync(`${fixtures}/small/config.json`, path.join(location, 'config.json'));
  let end = 0;
  const header = Object.entries(parts).map(([name, { dtype, shape, bytes }]) => {
    end += bytes.length;
    return [name, { dtype, shape, data_offsets: [end - bytes.length, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const data = Object.values(parts).map(({ bytes }) => bytes);
  writeFileSync(path.join(location, 'model.safetensors'), Buffer.concat([length, json, ...data]));
  return location;
}

const without = (name: string): Parts =>
  Object.fromEntries(Object.entries(whole).filter(([each]) => each !== name));
const withState = (change: object): Parts => ({
  ...whole,
  [stateName]: text(JSON.stringify({ ...state, ...change })),
});

test.each<[string, Parts, string[]]>([
  ['no codes', without(packed), [`${packed} is missing`]],
  ['no absmax', without(`${packed}.absmax`), [`${packed}.absmax is missing`]],
  ['no quant map', without(`${packed}.quant_map`), [`${packed}.quant_map is missing`]],
  ['no nested absmax', without(`${packed}.nested_absmax`), [`${packed}.nested_absmax is missing`]],
  ['no nested map', without(`${packed}.nested_quant_map`), [`${packed}.nested_quant_map is missing`]],
  ['no state', without(stateName), [packed, 'U8, but has no quant_state']],
  ['too few codes', { ...whole, [packed]: octets(99) }, [packed, '99 bytes', '[4, 50]', 'takes 100']],
  [
    'too few scales',
    { ...whole, [`${packed}.absmax`]: octets(3) },
    [`${packed}.absmax`, '3 bytes', 'takes 4'],
  ],
  ['scales of another type', { ...whole, [`${packed}.absmax`]: floats(1) }, ['4 bytes of f32', '4 of u8']],
  ['a short map', { ...whole, [`${packed}.quant_map`]: floats(15) }, ['quant_map', '60 bytes', '64 of f32']],
  ['a state that is no JSON', { ...whole, [stateName]: text('{"quant_type":') }, [stateName, 'not JSON']],
  ['a state of megabytes', { ...whole, [stateName]: octets(2 ** 20) }, [stateName, '1048576 bytes']],
  ['a state that is a list', { ...whole, [stateName]: text('[]') }, [stateName, 'expected object']],
  ['another type of codes', withState({ quant_type: 'int4' }), [stateName, 'quant_type', 'nf4']],
  ['an unknown type', withState({ dtype: 'float8' }), [stateName, 'dtype']],
  ['blocks of 63', withState({ blocksize: 63 }), [stateName, 'blocksize']],
  ['a negative axis', withState({ shape: [4, -50] }), [stateName, 'shape.1']],
  ['no offset', withState({ nested_offset: undefined }), [stateName, 'go together']],
])('refuses %s', (name, parts, words) => {
  const error = caught(() => openCheckpoint(write(name, parts)));
  expect(error.code).toBe('invalid_checkpoint');
  for (const word of words) expect(error.message).toContain(word);
});

test('tensors that belong to no packed weight are kept', () => {
  const location = write('extra', { ...whole, 'other.absmax': floats(1) });
  expect(new Set(openCheckpoint(location).tensors.keys())).toEqual(new Set([packed, 'other.absmax']));
});

test('a tensor of several pieces is unpacked as one', async () => {
  const shape = [(2 * pieceElements) / 100 + 1, 100].map(Math.ceil);
  const elements = shape.reduce((a, b) => a * b);
  const blocks = Math.ceil(elements / 64);
  const noise = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i * 2_654_435_761) >>> 24);
  const ramp = (count: number) => ({
    ...floats(count),
    bytes: new Uint8Array(Float32Array.from({ length: count }, (_, i) => (i + 1) / count - 0.4).buffer),
  });
  const name = 'lm_head.weight';
  const parts: Parts = {
    [name]: { ...octets(elements / 2), bytes: noise(elements / 2) },
    [`${name}.absmax`]: { ...octets(blocks), bytes: noise(blocks) },
    [`${name}.quant_map`]: ramp(16),
    [`${name}.nested_absmax`]: ramp(Math.ceil(blocks / 256)),
    [`${name}.nested_quant_map`]: ramp(256),
    [`${name}.quant_state.bitsandbytes__nf4`]: text(JSON.stringify({ ...state, shape })),
  };
  const source = openCheckpoint(write('long', parts));
  const file = path.join(folder, 'long.gguf');
  await convertToGguf(source, file);
  const entry = source.tensors.get(name)!;
  expect(entry.sizeBytes).toBeGreaterThan(2 * pieceElements * dtypes.bf16.bytes);
  expect(Buffer.from(bytesOf(openCheckpoint(file).tensors.get(name)!)).equals(bytesOf(entry))).toBe(true);
});
