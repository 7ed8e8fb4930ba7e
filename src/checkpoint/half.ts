/** The two 16-bit types: f16 is IEEE half precision, bf16 the upper half of a float32. Rounded to the nearest, ties to even. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0] ?? 0;
}

/** A float32 as the bits of a bf16. */
export function toBfloat16(value: number): number {
  const pattern = bitsOf(value);
  // Rounding could carry a NaN into an infinity.
  if (Number.isNaN(value)) return (pattern >>> 16) | 0x40;
  return (pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
}

/** A float32 as the bits of an f16: 1 sign, 5 exponent and 10 fraction bits. */
export function toHalf(value: number): number {
  const pattern = bitsOf(value);
  const sign = (pattern >>> 16) & 0x8000;
  const size = pattern & 0x7fff_ffff;
  if (Number.isNaN(value)) return sign | 0x7e00;
  // 65,520 is half way between the largest and what would be the next.
  if (Math.abs(value) >= 65_520) return sign | 0x7c00;
  // Between 0.5 and 1 a float32 has steps of 2^-24, which are those of the subnormal halves: the sum rounds.
  if (Math.abs(value) < 2 ** -14) return sign | (bitsOf(Math.abs(value) + 0.5) - bitsOf(0.5));
  const biased = size - ((127 - 15) << 23);
  return sign | ((biased + 0xfff + ((biased >>> 13) & 1)) >>> 13);
}

/** The number that the bits of an f16 stand for. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
