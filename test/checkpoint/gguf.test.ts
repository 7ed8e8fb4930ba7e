import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { traceCheckpoint } from '../../src/model/trace.ts';
import { goldenFolder, readTensors } from '../model/tensors.ts';
import { caught, rejected } from './caught.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-gguf-'));
const file = path.join(folder, 'odd.gguf');
const source = openCheckpoint(goldenFolder('odd'));
let bytes: Buffer;

beforeAll(async () => {
  const reports: [number, number][] = [];
  const result = await convertToGguf(source, file, { onProgress: (...report) => reports.push(report) });
  bytes = readFileSync(file);
  expect(result).toMatchObject({ misfits: [], tensors: source.tensors.size, sizeBytes: bytes.length });
  const total = [...source.tensors.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  expect(reports.at(-1)).toEqual([total, total]);
});

afterAll(() => rmSync(folder, { recursive: true }));

test('the GGUF file has the same tensors, bytes and texts', () => {
  const { format, name, texts, tensors } = openCheckpoint(file);
  expect({ format, name }).toEqual({ format: 'gguf', name: 'odd' });
  expect(texts).toEqual(source.texts);
  expect([...tensors.keys()].sort()).toEqual([...source.tensors.keys()].sort());
  for (const [key, { type, shape, offsetBytes, sizeBytes }] of tensors) {
    const wanted = source.tensors.get(key)!;
    expect({ type, shape: [...shape] }, key).toEqual({ type: wanted.type, shape: [...wanted.shape] });
    expect(offsetBytes % 32, key).toBe(0);
    const original = readFileSync(wanted.file).subarray(wanted.offsetBytes, wanted.offsetBytes + sizeBytes);
    expect(bytes.subarray(offsetBytes, offsetBytes + sizeBytes).equals(original), key).toBe(true);
  }
});

test.each(['f32', 'stored'] as const)(
  'the traces of file and folder are equal to the last bit, in %s',
  async (compute) => {
    const input = path.join(goldenFolder('odd'), 'golden.safetensors');
    const trace = async (checkpoint: string, output: string) => {
      await traceCheckpoint({ checkpoint, input, output, compute });
      return readTensors(output);
    };
    const fromFile = await trace(file, path.join(folder, `file.${compute}`));
    const fromFolder = await trace(goldenFolder('odd'), path.join(folder, `folder.${compute}`));
    expect([...fromFile.keys()].sort()).toEqual([...fromFolder.keys()].sort());
    for (const [key, tensor] of fromFile) expect(tensor, key).toEqual(fromFolder.get(key));
  },
);

test('an aborted conversion leaves no file', async () => {
  const out = path.join(folder, 'aborted.gguf');
  const error = await rejected(convertToGguf(source, out, { signal: AbortSignal.abort() }));
  expect(error.code).toBe('aborted');
  expect(error.message).toContain(out);
  expect(readdirSync(folder).filter((name) => name.includes('aborted'))).toEqual([]);
});

test('a file that is truncated anywhere is refused, and is never read past its end', () => {
  const cut = path.join(folder, 'cut.gguf');
  const header = Math.min(
    ...[...openCheckpoint(file).tensors.values()].map(({ offsetBytes }) => offsetBytes),
  );
  const lengths = [0, 3, 4, 7, 8, 20, 24, 30, 60, 100, header - 100, header, bytes.length - 4096];
  for (const length of lengths) {
    writeFileSync(cut, bytes.subarray(0, length));
    const error = caught(() => openCheckpoint(cut));
    expect(error.code, `cut to ${length}`).toBe('invalid_checkpoint');
    expect(error.message, `cut to ${length}`).toContain(cut);
    expect(error.message, `cut to ${length}`).toMatch(/truncated|more than its bytes/);
  }
  expect(statSync(cut).size).toBe(bytes.length - 4096);
});

/** The file with some bytes replaced. */
function damaged(name: string, change: (copy: Buffer) => void): string {
  const copy = Buffer.from(bytes);
  change(copy);
  const location = path.join(folder, `${name}.gguf`);
  writeFileSync(location, copy);
  return location;
}

/** The offset of a tensor's description: length of its name, name, number of axes, axes, type, offset. */
const description = (copy: Buffer, tensor: string) => copy.indexOf(tensor) + tensor.length;
const norm = 'model.norm.weight';

test.each([
  ['magic', (copy: Buffer) => copy.write('GGML', 0), ['"GGML"', '"GGUF"']],
  ['version', (copy: Buffer) => copy.writeUInt32LE(2, 4), ['version 2', 'reads 3']],
  ['tensors', (copy: Buffer) => copy.writeBigUInt64LE(2n ** 60n, 8), [String(2n ** 60n)]],
  ['pairs', (copy: Buffer) => copy.writeBigUInt64LE(2n ** 62n, 16), [String(2n ** 62n)]],
  [
    'architecture',
    (copy: Buffer) => copy.write('llama-3', copy.indexOf('cogvlm2')),
    ['"llama-3"', 'convert'],
  ],
  ['config', (copy: Buffer) => copy.write('X', copy.indexOf('cogvlm2.config.json')), ['no config']],
  [
    'name twice',
    (copy: Buffer) =>
      copy.write('0', copy.indexOf('model.layers.1.input_layernorm') + 'model.layers.'.length),
    ['model.layers.0.input_layernorm.weight twice'],
  ],
  ['axes', (copy: Buffer) => copy.writeUInt32LE(9, description(copy, norm)), [norm, '9 axes']],
  ['type', (copy: Buffer) => copy.writeUInt32LE(39, description(copy, norm) + 12), [norm, 'type 39']],
  [
    'offset',
    (copy: Buffer) => copy.writeBigUInt64LE(BigInt(copy.length - 32), description(copy, norm) + 16),
    [norm, 'ends at byte', 'truncated'],
  ],
] as const)('refuses a wrong header: %s', (name, change, parts) => {
  const location = damaged(name, change);
  const error = caught(() => openCheckpoint(location));
  expect(error.code).toBe('invalid_checkpoint');
  for (const part of [location, ...parts]) expect(error.message).toContain(part);
});
