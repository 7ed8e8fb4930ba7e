/** Mutations of a GGUF file: its bytes, its counts, its values, and the type, shape and offset of its tensors. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { writeBaseCheckpoint } from './base-checkpoint.ts';
import type { Format } from './formats.ts';
import { mutateBytes } from './mutate.ts';
import type { Random } from './random.ts';

interface Description {
  name: string;
  sizes: bigint[];
  axes?: number;
  type: number;
  offset: bigint;
}

interface Value {
  key: string;
  type: number;
  bytes: Buffer;
}

interface Parsed {
  version: number;
  tensorCount?: bigint;
  valueCount?: bigint;
  values: Value[];
  tensors: Description[];
  data: Buffer;
  headerEnd: number;
}

const TYPES = [0, 1, 2, 8, 12, 13, 14, 20, 26, 27, 30];

export async function ggufFormat(folder: string): Promise<Format> {
  const source = writeBaseCheckpoint(path.join(folder, 'source'));
  const goodFile = path.join(folder, 'good.gguf');
  await convertToGguf(openCheckpoint(source), goodFile, {});
  const good = readFileSync(goodFile);
  const file = path.join(folder, 'changed.gguf');
  const { headerEnd } = parse(good);
  return {
    kind: 'checkpoint',
    mutate(random) {
      if (random.chance(0.25)) {
        const from = random.pick([0, 24, Math.max(24, headerEnd - 3_000)]);
        writeFileSync(file, mutateBytes(random, good, from, random.chance(0.3) ? 64 : headerEnd));
        return { path: file, change: 'bytes of the header' };
      }
      const parsed = parse(good);
      const change = mutate(random, parsed, good.length);
      const bytes = build(parsed);
      writeFileSync(file, random.chance(0.03) ? bytes.subarray(0, random.below(bytes.length)) : bytes);
      return { path: file, change };
    },
  };
}

function mutate(random: Random, parsed: Parsed, fileBytes: number): string {
  const tensor = random.pick(parsed.tensors);
  const size = BigInt(fileBytes);
  switch (random.below(11)) {
    case 0:
    case 1:
      // At the beginning of the data, so that it fits into the file.
      tensor.type = random.pick(TYPES);
      tensor.offset = 0n;
      return `${tensor.name}: type ${tensor.type}`;
    case 2:
      tensor.type = random.below(60);
      return `${tensor.name}: type ${tensor.type}`;
    case 3: {
      const type = random.pick(TYPES);
      for (const each of parsed.tensors) {
        if (!random.chance(0.5) || Number(each.sizes[0]) % 32 !== 0) continue;
        each.type = type;
        each.offset = 0n;
      }
      return `many of type ${type}`;
    }
    case 4:
      tensor.sizes = random.pick([
        tensor.sizes.toReversed(),
        [...tensor.sizes, 1n],
        [1n, ...tensor.sizes],
        [],
        [0n],
        [0n, ...tensor.sizes],
        [...tensor.sizes, 1n, 1n, 1n],
      ]);
      return `${tensor.name}: axes ${tensor.sizes}`;
    case 5:
      tensor.sizes[random.below(tensor.sizes.length)] = random.pick([
        0n,
        1n,
        2n ** 31n,
        2n ** 32n,
        2n ** 63n,
        2n ** 64n - 1n,
        size,
        2n ** 53n,
        3n,
        255n,
      ]);
      return `${tensor.name}: axes ${tensor.sizes}`;
    case 6:
      tensor.axes = random.pick([0, 5, 255, 2 ** 31, 2 ** 32 - 1]);
      return `${tensor.name}: ${tensor.axes} axes`;
    case 7:
      tensor.offset = random.pick([
        1n,
        2n,
        3n,
        7n,
        17n,
        33n,
        BigInt(parsed.data.length),
        2n ** 63n,
        2n ** 64n - 1n,
        2n ** 53n,
        random.pick(parsed.tensors).offset,
      ]);
      return `${tensor.name}: at ${tensor.offset}`;
    case 8:
      tensor.name = random.pick([
        '',
        'x'.repeat(70),
        'x'.repeat(100_000),
        '__proto__',
        parsed.tensors[0]!.name,
        '\0',
        'a\0b',
      ]);
      return 'renamed';
    case 9: {
      const count = random.pick([
        0n,
        1n,
        BigInt(parsed.tensors.length + 1),
        BigInt(parsed.tensors.length - 1),
        2n ** 32n,
        2n ** 63n,
        2n ** 64n - 1n,
        size,
      ]);
      if (random.chance(0.5)) parsed.tensorCount = count;
      else parsed.valueCount = count;
      return `count ${count}`;
    }
    default: {
      const value = random.pick(parsed.values);
      const how = random.below(4);
      if (how === 0) value.bytes = mutateBytes(random, value.bytes, 0, Math.min(64, value.bytes.length));
      else if (how === 1) value.type = random.below(14);
      else if (how === 2) value.bytes = random.pick(parsed.values).bytes;
      else parsed.values.push({ ...value, key: random.pick(['a', '__proto__', value.key]) });
      return `value ${value.key} ${how}`;
    }
  }
}

function parse(bytes: Buffer): Parsed {
  let at = 4;
  const u32 = () => {
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const u64 = () => {
    at += 8;
    return bytes.readBigUInt64LE(at - 8);
  };
  const text = () => {
    const length = Number(u64());
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const version = u32();
  const tensorCount = Number(u64());
  const valueCount = Number(u64());
  const values = Array.from({ length: valueCount }, (): Value => {
    const key = text();
    const type = u32();
    const from = at;
    // Our files have texts and small numbers.
    if (type === 8) text();
    else at += 4;
    return { key, type, bytes: Buffer.from(bytes.subarray(from, at)) };
  });
  const tensors = Array.from({ length: tensorCount }, (): Description => {
    const name = text();
    const sizes = Array.from({ length: u32() }, u64);
    return { name, sizes, type: u32(), offset: u64() };
  });
  return { version, values, tensors, headerEnd: at, data: bytes.subarray(Math.ceil(at / 32) * 32) };
}

function build({ version, tensorCount, valueCount, values, tensors, data }: Parsed): Buffer {
  const parts: Buffer[] = [Buffer.from('GGUF')];
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    parts.push(bytes);
  };
  const u64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    parts.push(bytes);
  };
  const text = (value: string) => {
    u64(BigInt(Buffer.byteLength(value)));
    parts.push(Buffer.from(value));
  };
  u32(version);
  u64(tensorCount ?? BigInt(tensors.length));
  u64(valueCount ?? BigInt(values.length));
  for (const { key, type, bytes } of values) {
    text(key);
    u32(type);
    parts.push(bytes);
  }
  for (const { name, sizes, axes, type, offset } of tensors) {
    text(name);
    u32(axes ?? sizes.length);
    for (const size of sizes) u64(size);
    u32(type);
    u64(offset);
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), data]);
}
