import type { AtomicFile } from '../files/atomic-file.ts';
import { dtypes } from '../ggml/dtype.ts';
import { architecture, ggufAlignment, ggufMagic, ggufTextType, ggufVersion } from './gguf.ts';
import type { TensorEntry } from './types.ts';

/** What a GGUF file says of one tensor; `shape` has the fastest axis last. */
export type TensorDescription = Pick<TensorEntry, 'name' | 'type' | 'shape' | 'sizeBytes'>;

/**
 * Writes the header of one of our GGUF files. The tensors follow in the order described, each padded with
 * `padding(sizeBytes)` zeros.
 * @param texts the published JSON files by name, and `general.name`.
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
  const parts = [Buffer.from(ggufMagic, 'latin1'), u32(ggufVersion), u64(tensors.length), u64(pairs.length)];
  for (const [key, value] of pairs) parts.push(text(key), u32(ggufTextType), text(value));
  let offset = 0;
  for (const { name: tensor, type, shape, sizeBytes } of tensors) {
    parts.push(
      text(tensor),
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

/** Zeros that bring a length to the file's alignment. */
export function padding(sizeBytes: number): number {
  return (ggufAlignment - (sizeBytes % ggufAlignment)) % ggufAlignment;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}
