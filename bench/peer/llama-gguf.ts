/** Writes the header of a GGUF file with kinds of values that llama.cpp needs and our own files do not have. */

import { type TensorDescription, text, u32, u64, writeHeader } from '../../src/checkpoint/gguf.ts';
import type { AtomicFile } from '../../src/files/writing.ts';

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
  writeHeader(
    out,
    values.map(([key, value]) => [key, encode(value)]),
    tensors,
  );
}

/** Number of the type, then the value. */
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
