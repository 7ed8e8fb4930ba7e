/** The header of a GGUF file with the kinds of values that llama.cpp wants and our own files do not have. */

import { ggufMagic, ggufVersion, padding, type TensorDescription } from '../../src/checkpoint/gguf.ts';
import type { AtomicFile } from '../../src/files/atomic-file.ts';
import { dtypes } from '../../src/ggml/dtype.ts';

export type Value =
  | { text: string }
  | { u32: number }
  | { f32: number }
  | { texts: readonly string[] }
  | { f32s: readonly number[] }
  | { i32s: readonly number[] };

export function writeLlamaHeader(
  out: AtomicFile,
  values: readonly (readonly [string, Value])[],
  tensors: readonly TensorDescription[],
): void {
  const parts = [Buffer.from(ggufMagic, 'latin1'), u32(ggufVersion), u64(tensors.length), u64(values.length)];
  for (const [key, value] of values) parts.push(text(key), ...encode(value));
  let offset = 0;
  for (const { name, shape, type, sizeBytes } of tensors) {
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
}

/** The number of the type, then the value. */
function encode(value: Value): Buffer[] {
  const array = (type: number, count: number) => [u32(9), u32(type), u64(count)];
  if ('text' in value) return [u32(8), text(value.text)];
  if ('u32' in value) return [u32(4), u32(value.u32)];
  if ('f32' in value) return [u32(6), Buffer.from(Float32Array.of(value.f32).buffer)];
  if ('texts' in value) return [...array(8, value.texts.length), ...value.texts.map(text)];
  if ('f32s' in value)
    return [...array(6, value.f32s.length), Buffer.from(Float32Array.from(value.f32s).buffer)];
  return [...array(5, value.i32s.length), Buffer.from(Int32Array.from(value.i32s).buffer)];
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
