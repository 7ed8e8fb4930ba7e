import { closeSync, fstatSync, readSync } from 'node:fs';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { AtomicFile } from '../files/writing.ts';
import { type DType, dtypes } from '../ggml/dtype.ts';
import { openWeights, reading } from './read-file.ts';
import type { TensorEntry } from './types.ts';

/** A tensor as stored. bitsandbytes packs weights into U8 tensors; other tensors of the model are never U8. */
export interface StoredTensor extends Omit<TensorEntry, 'type' | 'packed'> {
  type: DType | 'u8';
}

/** safetensors type names and ours. Other types are refused. */
const safetensorsTypes: ReadonlyMap<string, StoredTensor['type']> = new Map([
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['I32', 'i32'],
  ['I64', 'i64'],
  ['U8', 'u8'],
]);
const readable = [...safetensorsTypes.keys()].filter((name) => name !== 'U8');

const maxHeaderBytes = 100_000_000;
const size = z.number().int().nonnegative();
const headerSchema = z.record(
  z.string(),
  z.object({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) }),
);

/** The tensors of one safetensors file. @throws CogVLM2Error `invalid_checkpoint` naming the file and the tensor. */
export function readSafetensors(file: string): TensorEntry[] {
  return readStored(file).map(asTensor);
}

/** @throws CogVLM2Error `invalid_checkpoint` for bytes. */
export function asTensor(stored: StoredTensor | TensorEntry): TensorEntry {
  const { type } = stored;
  if (type !== 'u8') return { ...stored, type };
  throw new CogVLM2Error(
    'invalid_checkpoint',
    `${stored.file}: ${stored.name} is of type U8, but has no quant_state of bitsandbytes, so its packing is unknown; this engine reads ${readable.join(', ')}.`,
  );
}

/**
 * Locates the tensors of one safetensors file: 8 bytes of header length, a JSON header, the data. Only the header
 * is read.
 * @throws CogVLM2Error `invalid_checkpoint` naming the file and the tensor.
 */
export function readStored(file: string): StoredTensor[] {
  const fail = (why: string, cause?: unknown) =>
    new CogVLM2Error('invalid_checkpoint', `${file}: ${why}.`, { cause });
  const { header, headerBytes, fileBytes } = readHeader(file, fail);
  const dataStart = 8 + headerBytes;
  return Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => {
      const type = safetensorsTypes.get(dtype);
      if (!type) throw fail(`${name} is of type ${dtype}; this engine reads ${readable.join(', ')}`);
      const sizeBytes = shape.reduce(
        (product, axis) => product * axis,
        type === 'u8' ? 1 : dtypes[type].bytes,
      );
      if (end - begin !== sizeBytes) {
        throw fail(
          `${name} spans ${end - begin} bytes, but ${dtype} [${shape.join(', ')}] takes ${sizeBytes}`,
        );
      }
      if (dataStart + end > fileBytes) {
        throw fail(`${name} ends at byte ${dataStart + end}, but the file has ${fileBytes}: it is truncated`);
      }
      return { name, type, shape, file, offsetBytes: dataStart + begin, sizeBytes };
    },
  );
}

function readHeader(file: string, fail: (why: string, cause?: unknown) => CogVLM2Error) {
  const descriptor = openWeights(file);
  try {
    const fileBytes = fstatSync(descriptor).size;
    const prefix = Buffer.alloc(8);
    const prefixBytes = reading(file, () => readSync(descriptor, prefix, 0, 8, 0));
    if (prefixBytes < 8) throw fail('it is too short to be a safetensors file');
    const headerBytes = Number(prefix.readBigUInt64LE());
    if (headerBytes > maxHeaderBytes || 8 + headerBytes > fileBytes) {
      throw fail(
        `its header claims ${headerBytes} bytes, but the file has ${fileBytes}: not a whole safetensors file`,
      );
    }
    const text = Buffer.alloc(headerBytes);
    reading(file, () => readSync(descriptor, text, 0, headerBytes, 8));
    let json: unknown;
    try {
      json = JSON.parse(text.toString('utf8'));
    } catch (cause) {
      throw fail('its header is not JSON', cause);
    }
    if (typeof json === 'object' && json !== null && '__metadata__' in json) delete json.__metadata__;
    const parsed = headerSchema.safeParse(json);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw fail(`its header is wrong at ${issue?.path.join('.')}: ${issue?.message}`);
    }
    return { header: parsed.data, headerBytes, fileBytes };
  } finally {
    closeSync(descriptor);
  }
}

/** A tensor to be written: `shape` has the fastest axis last. */
export interface NamedArray {
  name: string;
  shape: readonly number[];
  data: Float32Array | BigInt64Array;
}

/**
 * Writes one safetensors file, whole or not at all.
 * @throws CogVLM2Error `write_failed`.
 * @returns the bytes written.
 */
export function writeSafetensors(file: string, arrays: readonly NamedArray[]): number {
  let offset = 0;
  const header: Record<string, { dtype: string; shape: readonly number[]; data_offsets: [number, number] }> =
    {};
  for (const { name, shape, data } of arrays) {
    const dtype = data instanceof Float32Array ? 'F32' : 'I64';
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  using out = new AtomicFile(file);
  const headerBytes = writeSafetensorsHeader(out, header);
  for (const { data } of arrays) out.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  out.commit();
  return headerBytes + offset;
}

/** Its length and the JSON, padded with spaces so that the data begins on a multiple of eight. @returns the bytes of both */
export function writeSafetensorsHeader(out: AtomicFile, header: Readonly<Record<string, unknown>>): number {
  const json = Buffer.from(JSON.stringify(header));
  const text = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  out.write(length);
  out.write(text);
  return 8 + text.length;
}
