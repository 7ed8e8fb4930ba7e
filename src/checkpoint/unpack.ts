import { dtypes, type FloatType } from '../ggml/dtype.ts';
import { type Located, readFileBytes } from './read-file.ts';

/**
 * Weights in the packed form of bitsandbytes: blocks of consecutive elements, independent of rows; two codes of four bits in a
 * byte, the first in the upper half; one scale (absmax) for each block.
 */
export interface Packed {
  /** "nf4" or "fp4": the name of the table. */
  quantType: string;
  /** The type to which values are rounded. */
  type: FloatType;
  codes: Located;
  /** The value of each code before scaling. */
  map: Float32Array;
  blockSize: number;
  /** f32 for each block, or a byte if nested. */
  absmax: Located;
  /** 8-bit scales, which are in blocks themselves, with a table, scales and an offset. */
  nested?: { map: Float32Array; blockSize: number; absmax: Located; blocks: number; offset: number };
  /** Stored bytes, tables included. */
  sizeBytes: number;
}

/**
 * Fills `into` with the elements from `start`, the first of a block, bit-exact as bitsandbytes dequantizes them:
 * each product and sum in float32, then rounded to the type.
 */
export function unpack(packed: Packed, start: number, into: Uint8Array<ArrayBuffer>): void {
  const { type, map, blockSize } = packed;
  const count = into.byteLength / dtypes[type].bytes;
  const elements = type === 'f32' ? Float32Array : Uint16Array;
  const values = new elements(into.buffer, into.byteOffset, count);
  const codes = new Uint8Array(Math.ceil(count / 2));
  readFileBytes(packed.codes, start / 2, codes);
  const scales = readScales(packed, start / blockSize, Math.ceil(count / blockSize));
  const round = rounding[type];
  // The values of the codes in this block.
  const table = new elements(map.length);
  for (let block = 0; block < scales.length; block++) {
    const scale = scales[block] ?? 0;
    for (let code = 0; code < table.length; code++)
      table[code] = round(Math.fround((map[code] ?? 0) * scale));
    const end = Math.min(count, (block + 1) * blockSize);
    // The last byte can have one code too many; the write past the array's end has no effect.
    for (let i = block * blockSize; i < end; i += 2) {
      const pair = codes[i >> 1] ?? 0;
      values[i] = table[pair >> 4] ?? 0;
      values[i + 1] = table[pair & 15] ?? 0;
    }
  }
}

const rounding: Readonly<Record<FloatType, (value: number) => number>> = {
  f32: (value) => value,
  f16: toHalf,
  bf16: toBfloat16,
};

function readScales({ absmax, nested }: Packed, first: number, count: number): Float32Array {
  if (!nested) return readFloats(absmax, first, count);
  const codes = new Uint8Array(count);
  readFileBytes(absmax, first, codes);
  const scales = readFloats(nested.absmax, 0, nested.blocks);
  return Float32Array.from(codes, (code, i) => {
    const scale = scales[Math.floor((first + i) / nested.blockSize)] ?? 0;
    return Math.fround((nested.map[code] ?? 0) * scale) + nested.offset;
  });
}

export function readFloats(located: Located, first: number, count: number): Float32Array {
  const floats = new Float32Array(count);
  readFileBytes(located, first * 4, new Uint8Array(floats.buffer));
  return floats;
}

// The two 16-bit types: f16 is IEEE half precision, bf16 the upper half of a float32. Rounded to the nearest, ties to even.

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0] ?? 0;
}

/** A float32 as the bits of a bf16. */
function toBfloat16(value: number): number {
  const pattern = bitsOf(value);
  // Rounding could carry a NaN into an infinity.
  if (Number.isNaN(value)) return (pattern >>> 16) | 0x40;
  return (pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
}

/** A float32 as the bits of an f16: 1 sign, 5 exponent and 10 fraction bits. */
function toHalf(value: number): number {
  const pattern = bitsOf(value);
  const sign = (pattern >>> 16) & 0x8000;
  const size = pattern & 0x7fff_ffff;
  if (Number.isNaN(value)) return sign | 0x7e00;
  // 65,520 is half way between the largest f16 and the next power.
  if (Math.abs(value) >= 65_520) return sign | 0x7c00;
  // Between 0.5 and 1 a float32 has steps of 2^-24, which are those of the subnormal halves: the sum rounds.
  if (Math.abs(value) < 2 ** -14) return sign | (bitsOf(Math.abs(value) + 0.5) - bitsOf(0.5));
  const biased = size - ((127 - 15) << 23);
  return sign | ((biased + 0xfff + ((biased >>> 13) & 1)) >>> 13);
}

/** The numbers of bf16 values. */
export function fromBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
}

/** The number of the bits of an f16. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
