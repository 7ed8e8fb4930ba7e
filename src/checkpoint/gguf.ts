import { closeSync, fstatSync, readSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import type { AtomicFile } from '../files/writing.ts';
import { dtypeOfId, dtypes, rowBytes } from '../ggml/dtype.ts';
import { openWeights, reading } from './read-file.ts';
import { type Checkpoint, type CheckpointTexts, type TensorEntry, textNames } from './types.ts';

/**
 * GGUF, version 3: magic, counts, key-value pairs, tensor descriptions, then the data with each tensor aligned. Our files have
 * the published JSON files as text values under `cogvlm2.` and the tensors under the published names.
 */
const ggufMagic = 'GGUF';
const ggufVersion = 3;
const ggufAlignment = 32;
const architecture = 'cogvlm2';
const ggufTextType = 8;

/** Bytes of each fixed-size value type of GGUF, by its number. */
const valueBytes: Record<number, number> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const arrayType = 9;
/** The published model has about 1,200 tensors, and a tokenizer of 9 MB. */
const maxTensors = 1_000_000;
const maxTextBytes = 100_000_000;

/** @throws CogVLM2Error `invalid_checkpoint` naming the file and the problem. */
export function readGguf(file: string): Checkpoint {
  const reader = new Reader(file);
  try {
    return readModel(file, reader);
  } finally {
    reader.close();
  }
}

function readModel(file: string, reader: Reader): Checkpoint {
  const magic = reader.bytes(4).toString('latin1');
  if (magic !== ggufMagic) throw reader.fail(`it begins with ${JSON.stringify(magic)}, not with "GGUF"`);
  const version = reader.u32();
  if (version !== ggufVersion)
    throw reader.fail(`it is GGUF version ${version}; this engine reads ${ggufVersion}`);
  const tensorCount = reader.count();
  if (tensorCount > maxTensors) throw reader.fail(`its header claims ${tensorCount} tensors`);
  const pairCount = reader.count();
  const values = new Map<string, string>();
  for (let i = 0; i < pairCount; i++) {
    const key = reader.text();
    const value = reader.value();
    if (value !== undefined) values.set(key, value);
  }
  if (values.get('general.architecture') !== architecture) {
    throw reader.fail(
      `it holds a "${values.get('general.architecture') ?? 'nameless'}" model; this engine runs CogVLM2 files made by its own convert command`,
    );
  }
  const described = Array.from({ length: tensorCount }, () => readDescription(reader));
  const dataStart = Math.ceil(reader.position / ggufAlignment) * ggufAlignment;
  const tensors = new Map<string, TensorEntry>();
  for (const { name, type, shape, offset } of described) {
    if (tensors.has(name)) throw reader.fail(`it holds ${name} twice`);
    const sizeBytes = shape
      .slice(0, -1)
      .reduce((product, axis) => product * axis, rowBytes(type, shape.at(-1) ?? 1));
    const end = dataStart + offset + sizeBytes;
    if (end > reader.sizeBytes) {
      throw reader.fail(`${name} ends at byte ${end}, but the file has ${reader.sizeBytes}: it is truncated`);
    }
    tensors.set(name, { name, type, shape, file, offsetBytes: dataStart + offset, sizeBytes });
  }
  const config = values.get('cogvlm2.config.json');
  if (config === undefined) throw reader.fail('it has no config');
  const texts: CheckpointTexts = { 'config.json': config };
  for (const name of textNames) {
    const text = values.get(`cogvlm2.${name}`);
    if (text !== undefined) texts[name] = text;
  }
  return { path: file, name: path.basename(file, '.gguf'), format: 'gguf', texts, tensors };
}

function readDescription(reader: Reader) {
  const name = reader.text();
  const axes = reader.u32();
  if (axes < 1 || axes > 4) throw reader.fail(`${name} has ${axes} axes`);
  // GGUF has the fastest axis first.
  const shape = Array.from({ length: axes }, () => reader.count()).reverse();
  const id = reader.u32();
  const type = dtypeOfId(id);
  if (!type) throw reader.fail(`${name} is of ggml type ${id}, which this engine does not use`);
  if ((shape.at(-1) ?? 0) % dtypes[type].block !== 0)
    throw reader.fail(`${name} has rows that are not whole ${type} blocks`);
  const offset = reader.count();
  return { name, type, shape, offset };
}

/** Reads forward through a file in blocks. Every length is checked against the rest of the file. */
class Reader {
  position = 0;
  readonly sizeBytes: number;
  readonly #file: string;
  readonly #descriptor: number;
  #block: Buffer = Buffer.alloc(0);
  #blockStart = 0;

  constructor(file: string) {
    this.#file = file;
    this.#descriptor = openWeights(file);
    this.sizeBytes = fstatSync(this.#descriptor).size;
  }

  fail(why: string): CogVLM2Error {
    return new CogVLM2Error('invalid_checkpoint', `${this.#file}: ${why}.`);
  }

  bytes(length: number): Buffer {
    this.#checkLength(length);
    const inBlock = this.position - this.#blockStart;
    if (inBlock + length > this.#block.length) {
      this.#block = Buffer.alloc(Math.min(Math.max(length, 1 << 16), this.sizeBytes - this.position));
      reading(this.#file, () =>
        readSync(this.#descriptor, this.#block, 0, this.#block.length, this.position),
      );
      this.#blockStart = this.position;
    }
    const start = this.position - this.#blockStart;
    this.position += length;
    return this.#block.subarray(start, start + length);
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  /** A u64 that counts something in the file, so it cannot be larger than the file. */
  count(): number {
    const value = this.bytes(8).readBigUInt64LE();
    if (value > BigInt(this.sizeBytes))
      throw this.fail(`its header holds the count ${value}, more than its bytes`);
    return Number(value);
  }

  text(): string {
    const length = this.count();
    if (length > maxTextBytes) throw this.fail(`its header holds a text of ${length} bytes`);
    return this.bytes(length).toString('utf8');
  }

  /** The value if it is text; other values are skipped. */
  value(): string | undefined {
    const type = this.u32();
    if (type === ggufTextType) return this.text();
    if (type === arrayType) {
      const inner = this.u32();
      const count = this.count();
      if (inner !== ggufTextType) this.#skip(inner, count);
      else for (let i = 0; i < count; i++) this.text();
      return undefined;
    }
    this.#skip(type);
    return undefined;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #skip(type: number, count = 1): void {
    const valueSize = valueBytes[type];
    if (valueSize === undefined) throw this.fail(`its header holds a value of unknown type ${type}`);
    this.#checkLength(valueSize * count);
    this.position += valueSize * count;
  }

  #checkLength(length: number): void {
    if (this.position + length <= this.sizeBytes) return;
    throw this.fail(`its header goes past the end of the file (${this.sizeBytes} bytes): it is truncated`);
  }
}

/** A tensor in a GGUF header; `shape` has the fastest axis last. */
export type TensorDescription = Pick<TensorEntry, 'name' | 'type' | 'shape' | 'sizeBytes'>;

/**
 * Writes the header of one of our GGUF files. The tensors follow in the order described, each padded with
 * `padding(sizeBytes)` zeros.
 * @param texts the published JSON files by name, and `general.name`.
 * @returns bytes of the whole file
 */
export function writeGgufHeader(
  out: AtomicFile,
  name: string,
  texts: Iterable<readonly [string, string]>,
  tensors: readonly TensorDescription[],
): number {
  const pairs: [string, string][] = [
    ['general.architecture', architecture],
    ['general.name', name],
    ...Array.from(texts, ([file, text]): [string, string] => [`cogvlm2.${file}`, text]),
  ];
  return writeHeader(
    out,
    pairs.map(([key, value]) => [key, [u32(ggufTextType), text(value)]]),
    tensors,
  );
}

/**
 * Writes the header of any GGUF file.
 * @param pairs each key, and the bytes of its value, which begin with the number of its type
 * @returns bytes of the whole file
 */
export function writeHeader(
  out: AtomicFile,
  pairs: readonly (readonly [key: string, value: readonly Buffer[]])[],
  tensors: readonly TensorDescription[],
): number {
  const parts = [Buffer.from(ggufMagic, 'latin1'), u32(ggufVersion), u64(tensors.length), u64(pairs.length)];
  for (const [key, value] of pairs) parts.push(text(key), ...value);
  let offset = 0;
  for (const { name, type, shape, sizeBytes } of tensors) {
    parts.push(
      text(name),
      u32(shape.length),
      ...[...shape].reverse().map(u64),
      u32(dtypes[type].id),
      u64(offset),
    );
    offset += sizeBytes + padding(sizeBytes);
  }
  const header = Buffer.concat(parts);
  out.write(header);
  out.write(Buffer.alloc(padding(header.length)));
  return header.length + padding(header.length) + offset;
}

/** Zeros that align a length. */
export function padding(sizeBytes: number): number {
  return (ggufAlignment - (sizeBytes % ggufAlignment)) % ggufAlignment;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}
