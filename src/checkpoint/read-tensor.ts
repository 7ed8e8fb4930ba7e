import { CogVLM2Error } from '../errors.ts';
import { dtypes } from '../ggml/dtype.ts';
import { readFileBytes } from './read-file.ts';
import type { TensorEntry } from './types.ts';
import { fromBfloat16, fromHalf, unpack } from './unpack.ts';

/**
 * Fills `into` with a tensor's bytes from `startBytes`, in the type of its entry, whatever the stored form. For a packed tensor,
 * `startBytes` must be the start of a block, and `into` aligned for its type.
 * @throws CogVLM2Error `invalid_checkpoint` if the file was truncated.
 */
export function readTensorBytes(entry: TensorEntry, startBytes: number, into: Uint8Array<ArrayBuffer>): void {
  if (entry.computed) {
    const { buffer, byteOffset, byteLength } = entry.computed(startBytes / 4, into.byteLength / 4);
    into.set(new Uint8Array(buffer, byteOffset, byteLength));
  } else if (!entry.packed) readFileBytes(entry, startBytes, into);
  else unpack(entry.packed, startBytes / dtypes[entry.type].bytes, into);
}

/**
 * A small tensor, or `count` elements from `start`, as JavaScript numbers: tables, trace inputs, the weights of the reference
 * implementation, pieces of unpacked tensors.
 * @throws CogVLM2Error `invalid_checkpoint` for a type other than f32, f16 and bf16.
 */
export function readNumbers(entry: TensorEntry, start = 0, count?: number): Float32Array {
  const bytes = readElements(entry, start, count);
  if (entry.type === 'f32') return new Float32Array(bytes);
  const bits = new Uint16Array(bytes);
  if (entry.type === 'bf16') return fromBfloat16(bits);
  if (entry.type === 'f16') return Float32Array.from(bits, fromHalf);
  throw new CogVLM2Error(
    'invalid_checkpoint',
    `${entry.name} is ${entry.type}; f32, f16 or bf16 is needed here.`,
  );
}

/** @throws CogVLM2Error `invalid_checkpoint` for a type other than i64. */
export function readIntegers(entry: TensorEntry): number[] {
  if (entry.type === 'i64') return Array.from(new BigInt64Array(readElements(entry)), Number);
  throw new CogVLM2Error('invalid_checkpoint', `${entry.name} is ${entry.type}; i64 is needed here.`);
}

/** A tensor's elements, or `count` of them from `start`, as bytes of the entry's type. */
export function readElements(entry: TensorEntry, start = 0, count?: number): ArrayBuffer {
  const { bytes } = dtypes[entry.type];
  const elements = new Uint8Array(count === undefined ? entry.sizeBytes : count * bytes);
  readTensorBytes(entry, start * bytes, elements);
  return elements.buffer;
}
