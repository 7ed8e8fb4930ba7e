import { closeSync, openSync, readSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';
import type { TensorEntry } from './checkpoint.ts';

/** Small tensors as JavaScript numbers: tables, trace inputs, and the weights of the reference implementation. */

/** @throws CogVLM2Error `invalid_checkpoint` for a type other than f32, f16 and bf16. */
export function readNumbers(entry: TensorEntry): Float32Array {
  const bytes = readBytes(entry);
  if (entry.type === 'f32') return new Float32Array(bytes);
  const bits = new Uint16Array(bytes);
  // bf16 is the upper half of a float32.
  if (entry.type === 'bf16') return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
  if (entry.type === 'f16') return Float32Array.from(bits, fromHalf);
  throw new CogVLM2Error(
    'invalid_checkpoint',
    `${entry.name} is ${entry.type}; f32, f16 or bf16 is needed here.`,
  );
}

/** @throws CogVLM2Error `invalid_checkpoint` for a type other than i64. */
export function readIntegers(entry: TensorEntry): number[] {
  if (entry.type === 'i64') return Array.from(new BigInt64Array(readBytes(entry)), Number);
  throw new CogVLM2Error('invalid_checkpoint', `${entry.name} is ${entry.type}; i64 is needed here.`);
}

function readBytes({ file, offsetBytes, sizeBytes }: TensorEntry): ArrayBuffer {
  const bytes = new Uint8Array(sizeBytes);
  const descriptor = openSync(file, 'r');
  try {
    for (let at = 0; at < sizeBytes; ) {
      const count = readSync(descriptor, bytes, at, sizeBytes - at, offsetBytes + at);
      if (count === 0)
        throw new CogVLM2Error('invalid_checkpoint', `${file} became shorter while it was read.`);
      at += count;
    }
  } finally {
    closeSync(descriptor);
  }
  return bytes.buffer;
}

/** IEEE half precision: 1 sign, 5 exponent and 10 fraction bits. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
