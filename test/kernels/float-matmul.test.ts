import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { dtypes } from '../../src/ggml/dtype.ts';
import { ggml } from '../../src/ggml/library.ts';
import { callKernel, type PlainTensor } from '../../src/kernels/direct-call.ts';
import { multipliesStored, wordsBytes } from '../../src/kernels/float-matmul.ts';
import type { Kernels } from '../../src/kernels/kernels.ts';
import { eachVariant } from './each-variant.ts';
import { product, relativeError } from './products.ts';
import { sameBits } from './same-bits.ts';

const random = randomFrom(11);
const numbers = (count: number, value = () => random() - 0.5) => Float32Array.from({ length: count }, value);
const types = ['bf16', 'f16'] as const;
type WeightType = (typeof types)[number];

interface Weight {
  tensor: PlainTensor;
  /** The values of the stored numbers. */
  floats: Float32Array;
  k: number;
  columns: number;
}

/** Stored rows that begin at `offsetBytes` in their memory, with gaps of `gapBytes`. The memory around and between them is NaN. */
function stored(
  type: WeightType,
  source: Float32Array,
  k: number,
  { offsetBytes = 0, gapBytes = 0 } = {},
): Weight {
  const columns = source.length / k;
  const packed = new Uint8Array(source.length * 2);
  ggml().run('ggml_quantize_chunk', dtypes[type].id, source, packed, 0, columns, k, null);
  const row = k * 2 + gapBytes;
  const data = new Uint8Array(offsetBytes + row * columns).fill(0xff);
  const floats = new Float32Array(source.length);
  for (let column = 0; column < columns; column++)
    data.set(packed.subarray(column * k * 2, (column + 1) * k * 2), offsetBytes + column * row);
  const bits = new Uint16Array(packed.buffer);
  for (const [i, each] of bits.entries()) floats[i] = type === 'bf16' ? fromBf16(each) : fromF16(each);
  const strides = [2, row, row * columns, row * columns] as const;
  return { tensor: { type, shape: [k, columns, 1, 1], data, strides, offsetBytes }, floats, k, columns };
}

function fromBf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}

function fromF16(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

/** x [k, rows] -> [columns, rows], computed by both nodes. */
function multiply(
  kernels: Kernels,
  { tensor, k, columns }: Weight,
  x: Float32Array<ArrayBuffer>,
  { threads = 1, rowStride = k } = {},
): Float32Array {
  const rows = Math.ceil(x.length / rowStride);
  const bytes = wordsBytes(kernels, k, rows);
  // The memory is NaN at first, and a guard after the end detects writes outside of it.
  const words: PlainTensor = {
    type: 'i8',
    shape: [bytes, 1, 1, 1],
    data: new Uint8Array(bytes + 64).fill(0xff),
  };
  const stride = rowStride * 4;
  const source: PlainTensor = {
    type: 'f32',
    shape: [k, rows, 1, 1],
    strides: [4, stride, stride * rows, stride * rows],
    data: new Uint8Array(x.buffer, x.byteOffset, x.byteLength),
  };
  callKernel(kernels.address('words'), words, [source], { threads });
  expect(words.data.subarray(bytes).every((byte) => byte === 0xff)).toBe(true);
  const y = new Float32Array(columns * rows + 16).fill(-77);
  const dst: PlainTensor = { type: 'f32', shape: [columns, rows, 1, 1], data: new Uint8Array(y.buffer) };
  callKernel(kernels.address('matmul_words'), dst, [tensor, words], { threads });
  expect(y.subarray(columns * rows).every((value) => value === -77)).toBe(true);
  return y.slice(0, columns * rows);
}

describe.each(eachVariant())('$variant', ({ variant, kernels }) => {
  describe.each(types)('%s', (type) => {
    test('gives the product of the stored weights, for any shape', () => {
      for (const [k, columns, rows] of [
        [32, 64, 1],
        [32, 1, 7],
        [96, 100, 5],
        [288, 65, 33],
        [512, 192, 17],
        [1792, 63, 33],
        [64, 3, 300],
      ] as const) {
        const weight = stored(type, numbers(k * columns), k);
        const x = numbers(k * rows);
        const error = relativeError(multiply(kernels, weight, x), product(weight.floats, x, k));
        // bf16 has 8 significant bits. With bf16 products, activations and f16 weights are rounded to it.
        const limit = variant === 'avx512bf16' || variant === 'amx' ? 0.005 : 1e-6;
        expect(error, `${k} x ${columns}, ${rows} rows`).toBeLessThan(limit);
      }
    });

    test('products of small integers are exact', () => {
      const [k, columns, rows] = [544, 130, 19];
      const whole = () => Math.floor(random() * 17) - 8;
      const weight = stored(type, numbers(k * columns, whole), k);
      const x = numbers(k * rows, whole);
      expect(Array.from(multiply(kernels, weight, x))).toEqual(Array.from(product(weight.floats, x, k)));
    });

    test('a row has the same bits for any other rows and any number of threads', () => {
      const [k, columns, rows] = [736, 150, 300];
      const weight = stored(type, numbers(k * columns), k);
      const x = numbers(k * rows);
      const all = multiply(kernels, weight, x);
      for (const count of [1, 2, 5, 6, 7, 16, 17, 33, 257]) {
        for (const first of [0, 5, 37]) {
          const some = x.slice(first * k, (first + count) * k);
          const wanted = all.slice(first * columns, (first + count) * columns);
          const values = multiply(kernels, weight, some, { threads: 1 + (count % 4) });
          expect(sameBits(values, wanted), `${count} rows from ${first}`).toBe(true);
        }
      }
    });

    test('accepts weights at odd addresses, rows with gaps, and rows of x with gaps', () => {
      const [k, columns, rows] = [160, 70, 9];
      const source = numbers(k * columns);
      const x = numbers(k * rows);
      const wanted = multiply(kernels, stored(type, source, k), x);
      expect(multiply(kernels, stored(type, source, k, { offsetBytes: 6, gapBytes: 10 }), x)).toEqual(wanted);
      const rowStride = k + 3;
      const wide = new Float32Array(rowStride * rows - 3).fill(Number.NaN);
      for (let row = 0; row < rows; row++) wide.set(x.subarray(row * k, (row + 1) * k), row * rowStride);
      expect(multiply(kernels, stored(type, source, k), wide, { rowStride })).toEqual(wanted);
    });

    test('a NaN or an infinity affects its row only', () => {
      const [k, columns, rows] = [512, 70, 5];
      const weight = stored(type, numbers(k * columns), k);
      const x = numbers(k * rows);
      const clean = multiply(kernels, weight, x);
      x[k + 300] = Number.NaN;
      x[3 * k + 2] = Number.POSITIVE_INFINITY;
      const y = multiply(kernels, weight, x);
      const wanted = product(weight.floats, x, k);
      for (const [i, value] of y.entries()) {
        expect(Number.isFinite(value)).toBe(Number.isFinite(wanted[i]));
        if (Math.floor(i / columns) % 2 === 0) expect(value).toBe(clean[i]);
      }
    });

    test('zeros give zeros, and the largest and smallest numbers do not give NaN', () => {
      const [k, columns] = [256, 64];
      const weight = stored(type, numbers(k * columns), k);
      const x = new Float32Array(k * 4);
      x.fill(1e-42, k, 2 * k)
        .fill(3e38, 2 * k, 3 * k)
        .fill(-1e20, 3 * k);
      const y = multiply(kernels, weight, x);
      expect(y.slice(0, columns).every((value) => value === 0)).toBe(true);
      expect(y.slice(columns, 2 * columns).every((value) => Math.abs(value) < 1e-38)).toBe(true);
      expect(y.slice(3 * columns).every(Number.isFinite)).toBe(true);
      const zeros = stored(type, new Float32Array(k * columns), k);
      expect(multiply(kernels, zeros, x).every((value) => value === 0)).toBe(true);
    });
  });

  test('GELU is exact within 1e-6', () => {
    const x = Float32Array.from({ length: 1003 }, (_, i) => (i - 501) / 60);
    const y = new Float32Array(x.length + 16).fill(-77);
    const tensor = (data: Float32Array<ArrayBuffer>): PlainTensor => ({
      type: 'f32',
      shape: [17, 59, 1, 1],
      data: new Uint8Array(data.buffer),
    });
    callKernel(kernels.address('gelu'), tensor(y), [tensor(x)], { threads: 3 });
    for (const [i, value] of x.entries()) {
      const wanted = x[i]! * normal(value);
      expect(Math.abs(y[i]! - wanted), `gelu(${value})`).toBeLessThan(1e-6);
    }
    expect(y.subarray(x.length).every((value) => value === -77)).toBe(true);

    // With a bias for each of the 17 columns, the bits equal those for the sums of numbers and biases.
    const bias = Float32Array.from({ length: 17 }, (_, i) => (i - 8) / 7);
    const [biased, wanted] = [y.slice(), y.slice()];
    const sum = x.map((value, i) => value + bias[i % 17]!);
    const biasTensor = { ...tensor(bias), shape: [17, 1, 1, 1] as const };
    callKernel(kernels.address('gelu'), tensor(biased), [tensor(x), biasTensor], { threads: 2 });
    callKernel(kernels.address('gelu'), tensor(wanted), [tensor(sum)]);
    expect(Array.from(biased)).toEqual(Array.from(wanted));
    expect(Array.from(biased)).not.toEqual(Array.from(y));

    const special = Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, 0, -0, 3e38, -3e38, 1e-42, 9);
    const result = new Float32Array(8);
    const shape = [8, 1, 1, 1] as const;
    callKernel(kernels.address('gelu'), { type: 'f32', shape, data: new Uint8Array(result.buffer) }, [
      { type: 'f32', shape, data: new Uint8Array(special.buffer) },
    ]);
    expect(Array.from(result.subarray(0, 2))).toEqual([Number.NaN, Number.NaN]);
    expect(result.subarray(2).every(Number.isFinite)).toBe(true);
    expect([result[4], Math.abs(result[5]!), result[7]]).toEqual([special[4], 0, 9]);
  });

  test('accepts the supported types and shapes only', () => {
    expect(multipliesStored({ type: 'bf16', shape: [4096, 7, 1, 1] })).toBe(true);
    expect(multipliesStored({ type: 'f16', shape: [588, 1792, 1, 1] })).toBe(false);
    expect(multipliesStored({ type: 'bf16', shape: [64, 64, 2, 1] })).toBe(false);
    expect(multipliesStored({ type: 'f32', shape: [64, 64, 1, 1] })).toBe(false);
  });
});

/** The normal distribution: the integral of its density by Simpson's rule from 0 to x, in steps of 1/100 at most. */
function normal(x: number): number {
  const steps = 2 * Math.ceil(Math.abs(x) * 50 + 1);
  const density = (at: number) => Math.exp((-at * at) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * density((x * i) / steps);
  return 0.5 + (sum * x) / steps / 3;
}
