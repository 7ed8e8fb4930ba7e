/** Mutations of a safetensors file: its bytes, its header, and the offset, type and shape of its tensors. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeBaseCheckpoint } from './base-checkpoint.ts';
import type { Format } from './formats.ts';
import { EXTREMES, mutateBytes, strangeJson } from './mutate.ts';
import type { Random } from './random.ts';

interface Tensor {
  dtype: unknown;
  shape: unknown;
  data_offsets: unknown;
}

const BYTES: Record<string, number> = { F32: 4, F16: 2, BF16: 2, I32: 4, I64: 8, U8: 1 };

export function safetensorsFormat(folder: string): Format {
  writeBaseCheckpoint(folder);
  const mutate = safetensorsMutator(path.join(folder, 'model.safetensors'));
  return { kind: 'checkpoint', mutate: (random) => ({ path: folder, change: mutate(random) }) };
}

/** Mutates a valid file. Each call @returns a description of the change */
export function safetensorsMutator(file: string): (random: Random) => string {
  const good = readFileSync(file);
  const headerBytes = Number(good.readBigUInt64LE());
  const headerText = good.toString('utf8', 8, 8 + headerBytes);
  const data = good.subarray(8 + headerBytes);
  const names = Object.keys(JSON.parse(headerText) as object).filter((name) => name !== '__metadata__');
  const write = (header: string, length = BigInt(Buffer.byteLength(header))) => {
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(length);
    writeFileSync(file, Buffer.concat([prefix, Buffer.from(header), data]));
  };
  return (random) => {
    const how = random.below(10);
    if (how === 0) {
      writeFileSync(file, mutateBytes(random, good, random.chance(0.2) ? 0 : 8, 8 + headerBytes));
      return 'bytes of the header';
    }
    if (how === 1) {
      write(strangeJson(random, headerText));
      return 'strange header';
    }
    if (how === 2) {
      const length = random.pick([
        0n,
        1n,
        2n ** 63n,
        2n ** 64n - 1n,
        100_000_001n,
        BigInt(good.length),
        BigInt(good.length - 8),
      ]);
      write(headerText, length);
      return `header length ${length}`;
    }
    const header = JSON.parse(headerText) as Record<string, Tensor>;
    const name = random.pick(names);
    const change = mutateTensor(random, header, name, names, data.length);
    write(JSON.stringify(header));
    if (random.chance(0.03)) {
      const whole = readFileSync(file);
      writeFileSync(file, whole.subarray(0, random.below(whole.length)));
    }
    return `${name}: ${change}`;
  };
}

function mutateTensor(
  random: Random,
  header: Record<string, Tensor>,
  name: string,
  names: string[],
  dataBytes: number,
): string {
  const tensor = header[name]!;
  const shape = tensor.shape as number[];
  const [begin = 0, end = 0] = tensor.data_offsets as number[];
  const elements = shape.reduce((product, axis) => product * axis, 1);
  switch (random.below(9)) {
    case 0: {
      tensor.dtype = random.pick([
        'F32',
        'F16',
        'BF16',
        'I32',
        'I64',
        'U8',
        'F64',
        'BOOL',
        'I8',
        'F8_E4M3',
        '',
        'constructor',
        '__proto__',
      ]);
      const bytes = BYTES[String(tensor.dtype)];
      if (bytes !== undefined && random.chance(0.9)) tensor.data_offsets = [0, bytes * elements];
      return `type ${tensor.dtype}`;
    }
    case 1:
      for (const other of names) {
        if (!random.chance(0.3)) continue;
        const type = random.pick(['F16', 'BF16']);
        const count = (header[other]!.shape as number[]).reduce((product, axis) => product * axis, 1);
        header[other] = { ...header[other]!, dtype: type, data_offsets: [0, 2 * count] };
      }
      return 'many in 16 bits';
    case 2:
      tensor.shape = random.pick([
        shape.toReversed(),
        [...shape, 1],
        [1, ...shape],
        [elements],
        [1, elements],
        [],
        [...shape, 1, 1, 1, 1],
        [0],
      ]);
      return `shape ${JSON.stringify(tensor.shape)}`;
    case 3: {
      const changed: unknown[] = [...shape];
      changed[random.below(changed.length)] = random.pick(EXTREMES);
      tensor.shape = changed;
      if (random.chance(0.5)) tensor.data_offsets = [begin, begin];
      return `shape ${JSON.stringify(changed)}`;
    }
    case 4:
      tensor.data_offsets = header[random.pick(names)]!.data_offsets;
      return "another tensor's place";
    case 5: {
      const length = end - begin;
      const start = random.pick([
        1,
        2,
        3,
        7,
        0,
        dataBytes - length,
        dataBytes - length + 1,
        2 ** 53 - length,
        -1,
      ]);
      tensor.data_offsets = [start, start + length];
      return `from ${start}`;
    }
    case 6:
      tensor.data_offsets = random.pick<unknown>([
        [0, 0],
        [5, 1],
        [0],
        [],
        [0, 1, 2],
        null,
        'x',
        [0.5, 1.5],
        [0, 2 ** 53],
        [1e308, 1e308],
      ]);
      return `place ${JSON.stringify(tensor.data_offsets)}`;
    case 7:
      delete header[name];
      if (random.chance(0.5))
        header[
          random.pick(['constructor', 'toString', '', 'a'.repeat(5_000), 'x\0y', '\ud800', `model.${name}`])
        ] = tensor;
      return 'renamed';
    default:
      header[`${name}.more`] = structuredClone(tensor);
      return 'copied';
  }
}
