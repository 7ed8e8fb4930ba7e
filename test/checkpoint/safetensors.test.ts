import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { readIntegers, readNumbers } from '../../src/checkpoint/read-tensor.ts';
import { readSafetensors, writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { caught } from './caught.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Header = Record<string, unknown>;

/** Writes a file with this header, this declared length (default: the true one) and this number of bytes. */
function write(name: string, header: Header | string, dataBytes: number, headerBytes?: number): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(headerBytes ?? text.length));
  const file = path.join(folder, name);
  writeFileSync(file, Buffer.concat([prefix, text, Buffer.alloc(dataBytes)]));
  return file;
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

test('written tensors can be read, in three types', () => {
  const file = path.join(folder, 'whole.safetensors');
  const numbers = Float32Array.of(1.5, -2, 3e-9, 4, 5, 6);
  const bytes = writeSafetensors(file, [
    { name: 'a', shape: [2, 3], data: numbers },
    { name: 'b', shape: [2], data: BigInt64Array.of(7n, -8n) },
  ]);
  const [a, b] = readSafetensors(file);
  expect(a).toMatchObject({ name: 'a', type: 'f32', shape: [2, 3], sizeBytes: 24 });
  expect(readNumbers(a!)).toEqual(numbers);
  expect(readIntegers(b!)).toEqual([7, -8]);
  expect(b!.offsetBytes + b!.sizeBytes).toBe(bytes);
});

test('half precision and bfloat16 become the right numbers', () => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0xfc00, 0x8000, 0x3555);
  const header = {
    half: { dtype: 'F16', shape: [8], data_offsets: [0, 16] },
    brain: { dtype: 'BF16', shape: [2], data_offsets: [16, 20] },
  };
  const file = write('types.safetensors', header, 0);
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(
    file,
    Buffer.concat([
      prefix,
      text,
      new Uint8Array(halves.buffer),
      new Uint8Array(Uint16Array.of(0x3fc0, 0xbf80).buffer),
    ]),
  );
  const [half, brain] = readSafetensors(file);
  const values = [1, -2, 65504, 2 ** -24, 2 ** -14, Number.NEGATIVE_INFINITY, -0, 0.333251953125];
  expect([...readNumbers(half!)]).toEqual(values);
  expect([...readNumbers(brain!)]).toEqual([1.5, -1]);
});

test.each([
  ['no file', () => path.join(folder, 'none.safetensors'), 'file_not_found', ['none.safetensors']],
  [
    'seven bytes',
    () => {
      const file = path.join(folder, 'short.safetensors');
      writeFileSync(file, 'seven b');
      return file;
    },
    'invalid_checkpoint',
    ['too short'],
  ],
  [
    'a header longer than the file',
    () => write('long.safetensors', {}, 10, 5000),
    'invalid_checkpoint',
    ['5000 bytes', 'has 20'],
  ],
  [
    'a header of 2^60 bytes',
    () => write('huge.safetensors', {}, 0, 2 ** 60),
    'invalid_checkpoint',
    [String(2 ** 60), 'has 10'],
  ],
  [
    'a header that is not JSON',
    () => write('json.safetensors', '{"a": [', 0),
    'invalid_checkpoint',
    ['not JSON'],
  ],
  [
    'a header that is a list',
    () => write('list.safetensors', '[1]', 0),
    'invalid_checkpoint',
    ['header is wrong'],
  ],
  [
    'a tensor without a shape',
    () => write('shape.safetensors', { bad: { dtype: 'F32', data_offsets: [0, 4] } }, 4),
    'invalid_checkpoint',
    ['bad.shape'],
  ],
  [
    'a negative offset',
    () => write('negative.safetensors', { bad: f32(-4, 0, [1]) }, 4),
    'invalid_checkpoint',
    ['bad.data_offsets'],
  ],
  [
    'an unknown type',
    () => write('type.safetensors', { odd: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, 4),
    'invalid_checkpoint',
    ['odd', 'F8_E4M3', 'BF16'],
  ],
  [
    'a span that the shape does not take',
    () => write('span.safetensors', { a: f32(0, 16, [2, 3]) }, 16),
    'invalid_checkpoint',
    ['a spans 16 bytes', '[2, 3]', '24'],
  ],
  [
    'a tensor outside the file',
    () => write('outside.safetensors', { in: f32(0, 8), out: f32(1_000_000, 1_000_008) }, 8),
    'invalid_checkpoint',
    ['out ends at byte', '1000', 'truncated'],
  ],
] as const)('refuses %s', (_, make, code, parts) => {
  const file = make();
  const error = caught(() => readSafetensors(file));
  expect(error.code).toBe(code);
  for (const part of [path.basename(file), ...parts]) expect(error.message).toContain(part);
});

test('a truncated file is refused with both lengths', () => {
  const file = path.join(folder, 'cut.safetensors');
  const size = writeSafetensors(file, [{ name: 'weight', shape: [100], data: new Float32Array(100) }]);
  truncateSync(file, size - 1);
  const error = caught(() => readSafetensors(file));
  expect(error.code).toBe('invalid_checkpoint');
  for (const part of [file, 'weight', String(size), String(size - 1), 'truncated'])
    expect(error.message).toContain(part);
});

/** A folder with config.json, these shards and this index. */
function shards(name: string, files: Record<string, string[]>, index?: unknown): string {
  const location = path.join(folder, name);
  mkdirSync(location);
  writeFileSync(path.join(location, 'config.json'), '{}');
  for (const [file, names] of Object.entries(files)) {
    const arrays = names.map((tensor) => ({ name: tensor, shape: [1], data: Float32Array.of(1) }));
    writeSafetensors(path.join(location, file), arrays);
  }
  if (index !== undefined) {
    const text = typeof index === 'string' ? index : JSON.stringify(index);
    writeFileSync(path.join(location, 'model.safetensors.index.json'), text);
  }
  return location;
}

test('tensors of all shards are found, each in its file', () => {
  const location = shards(
    'joined',
    { 'x.safetensors': ['a'], 'y.safetensors': ['b', 'c'] },
    {
      weight_map: { a: 'x.safetensors', b: 'y.safetensors', c: 'y.safetensors' },
    },
  );
  const { tensors, name, format } = openCheckpoint(location);
  expect([...tensors.keys()].sort()).toEqual(['a', 'b', 'c']);
  expect(tensors.get('c')?.file).toBe(path.join(location, 'y.safetensors'));
  expect({ name, format }).toEqual({ name: 'joined', format: 'safetensors' });
});

test.each([
  ['nothing-there', () => path.join(folder, 'nowhere'), 'file_not_found', ['nowhere']],
  [
    'no-config',
    () => {
      mkdirSync(path.join(folder, 'no-config'));
      return path.join(folder, 'no-config');
    },
    'invalid_checkpoint',
    ['config.json'],
  ],
  ['no-weights', () => shards('no-weights', {}), 'invalid_checkpoint', ['model.safetensors.index.json']],
  [
    'a missing shard',
    () =>
      shards(
        'no-shard',
        { 'x.safetensors': ['a'] },
        { weight_map: { a: 'x.safetensors', b: 'z.safetensors' } },
      ),
    'file_not_found',
    ['z.safetensors'],
  ],
  [
    'a shard that is a folder',
    () => {
      const folder = shards('folder-shard', {}, { weight_map: { a: 'x.safetensors' } });
      mkdirSync(path.join(folder, 'x.safetensors'));
      return folder;
    },
    'file_not_found',
    ['x.safetensors cannot be read: it is a folder'],
  ],
  [
    'a tensor in two shards',
    () =>
      shards(
        'twice',
        { 'x.safetensors': ['a', 'b'], 'y.safetensors': ['b'] },
        {
          weight_map: { a: 'x.safetensors', b: 'y.safetensors' },
        },
      ),
    'invalid_checkpoint',
    ['b is in y.safetensors'],
  ],
  [
    'a tensor in another shard than the index says',
    () =>
      shards(
        'moved',
        { 'x.safetensors': ['a'], 'y.safetensors': ['b'] },
        {
          weight_map: { a: 'x.safetensors', b: 'x.safetensors', c: 'y.safetensors' },
        },
      ),
    'invalid_checkpoint',
    ['b is not in x.safetensors'],
  ],
  [
    'a shard outside the folder',
    () => shards('escape', {}, { weight_map: { a: '../x.safetensors' } }),
    'invalid_checkpoint',
    ['index.json', 'a has no file name'],
  ],
  [
    'an index without a map',
    () => shards('mapless', {}, {}),
    'invalid_checkpoint',
    ['index.json', 'weight_map'],
  ],
  ['an index that is not JSON', () => shards('scribble', {}, '{'), 'invalid_checkpoint', ['index.json']],
] as const)('a folder with %s', (_, make, code, parts) => {
  const location = make();
  const error = caught(() => openCheckpoint(location));
  expect(error.code).toBe(code);
  for (const part of [location, ...parts]) expect(error.message).toContain(part);
});
