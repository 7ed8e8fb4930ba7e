import koffi from 'koffi';
import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { type DType, dtypes, rowBytes } from '../../src/ggml/dtype.ts';
import { ggml } from '../../src/ggml/library.ts';
import { addressOf, callKernel, type PlainTensor } from '../../src/kernels/direct-call.ts';
import type { Kernels } from '../../src/kernels/kernels.ts';
import {
  dequantizers,
  type Format,
  formatOf,
  packedBytes,
  packWeight,
  quantizedBytes,
} from '../../src/kernels/matmul.ts';
import { selfTest } from '../../src/kernels/self-test.ts';
import { eachVariant } from './each-variant.ts';
import { product, relativeError } from './products.ts';
import { sameBits } from './same-bits.ts';

const dequantizer = koffi.proto('void cogvlm2_dequantizer(void *from, void *to, int64_t count)');
const quantizedTypes = ['q4_0', 'iq4_nl', 'q4_k', 'q5_k', 'q6_k', 'q8_0'] as const;
type WeightType = (typeof quantizedTypes)[number];
const random = randomFrom(7);
const whole = (most: number) => Math.floor(random() * (2 * most + 1)) - most;

/** Stored rows of random numbers, and their values as floats by ggml. */
function storedWeight(
  type: WeightType,
  k: number,
  columns: number,
): { bytes: Uint8Array<ArrayBuffer>; floats: Float32Array } {
  const lib = ggml();
  const source = Float32Array.from({ length: k * columns }, () => random() - 0.5);
  const bytes = new Uint8Array(rowBytes(type, k) * columns);
  lib.run('ggml_quantize_chunk', dtypes[type].id, source, bytes, 0, columns, k, null);
  return { bytes, floats: dequantized(type, bytes, k * columns) };
}

function dequantized(type: DType, bytes: Uint8Array<ArrayBuffer>, count: number): Float32Array {
  const out = new Float32Array(count);
  koffi.decode(ggml().symbol(dequantizers[type] ?? ''), dequantizer)(bytes, out, count);
  return out;
}

async function pack(
  kernels: Kernels,
  type: DType,
  bytes: Uint8Array<ArrayBuffer>,
  k: number,
  columns: number,
  format: Format,
) {
  const shape = [k, columns, 1, 1] as const;
  const size = packedBytes({ type, shape }, format);
  // A guard after the end detects writes outside of the memory.
  const data = new Uint8Array(size + 64).fill(0xa5);
  const packed: PlainTensor = { type: 'i8', shape: [size, 1, 1, 1], data };
  const from = addressOf({ type: 'i8', shape: [bytes.length, 1, 1, 1], data: bytes });
  await packWeight(kernels, { type, shape }, format, from, addressOf(packed));
  expect(data.subarray(size).every((byte) => byte === 0xa5)).toBe(true);
  return packed;
}

/** x [k, rows] -> [columns, rows], computed by both nodes. */
function multiply(
  kernels: Kernels,
  packed: PlainTensor,
  x: Float32Array<ArrayBuffer>,
  k: number,
  columns: number,
  threads = 1,
): Float32Array {
  const rows = x.length / k;
  const bytes = quantizedBytes(k, rows);
  const quantized: PlainTensor = { type: 'i8', shape: [bytes, 1, 1, 1], data: new Uint8Array(bytes) };
  const source: PlainTensor = {
    type: 'f32',
    shape: [k, rows, 1, 1],
    data: new Uint8Array(x.buffer, x.byteOffset, x.byteLength),
  };
  callKernel(kernels.address('quantize'), quantized, [source], { threads });
  const y = new Float32Array(columns * rows + 16).fill(-77);
  const dst: PlainTensor = { type: 'f32', shape: [columns, rows, 1, 1], data: new Uint8Array(y.buffer) };
  callKernel(kernels.address('matmul'), dst, [packed, quantized], { threads, user: BigInt(k) });
  expect(y.subarray(columns * rows).every((value) => value === -77)).toBe(true);
  return y.slice(0, columns * rows);
}

/** At least 262 rows of 4,416 elements: more than the 256 rows and 4,096 elements of a part in c/matmul.c. */
const manyNumbers = Float32Array.from({ length: 262 * 4416 }, () => random() - 0.5);

const formats: readonly Format[] = ['nibbles', 'bytes'];
const hasNibbles = (type: DType) => type === 'q4_0' || type === 'iq4_nl' || type === 'q4_k';

describe.each(eachVariant())('$variant', ({ kernels }) => {
  describe.each(quantizedTypes)('%s', (type) => {
    const own = formats.filter((format) => format === 'bytes' || hasNibbles(type));
    const { block } = dtypes[type];

    test.each(own)('as %s: gives the product of the stored weights, for any shape', async (format) => {
      for (const [k, columns, rows] of [
        [block, 64, 1],
        [block, 1, 7],
        [3 * block, 100, 5],
        [512, 192, 17],
        [1792, 65, 33],
      ] as const) {
        if (k % block !== 0) continue;
        const { bytes, floats } = storedWeight(type, k, columns);
        const packed = await pack(kernels, type, bytes, k, columns, format);
        const x = Float32Array.from({ length: k * rows }, () => random() - 0.5);
        const y = multiply(kernels, packed, x, k, columns);
        // The error of rounding to 8 bits is about 0.6% of the deviation of the activations, and the same for weights as bytes.
        expect(relativeError(y, product(floats, x, k)), `${k} x ${columns}, ${rows} rows`).toBeLessThan(0.02);
      }
    });

    test.each(own)(
      'as %s: a row has the same bits for any other rows and any number of threads',
      async (format) => {
        const [k, columns, rows] = [768, 150, 70];
        const { bytes } = storedWeight(type, k, columns);
        const packed = await pack(kernels, type, bytes, k, columns, format);
        const x = Float32Array.from({ length: k * rows }, () => random() - 0.5);
        const all = multiply(kernels, packed, x, k, columns);
        for (const count of [1, 2, 3, 4, 6, 7, 15, 16, 17, 33]) {
          for (const first of [0, 5, 37]) {
            const some = x.slice(first * k, (first + count) * k);
            const wanted = all.slice(first * columns, (first + count) * columns);
            const values = multiply(kernels, packed, some, k, columns, 1 + (count % 4));
            expect(sameBits(values, wanted), `${count} rows from ${first}`).toBe(true);
          }
        }
      },
    );

    test.each(own)(
      'as %s: a row has the same bits if rows and elements are processed in parts',
      async (format) => {
        const k = block === 256 ? 4352 : 4416; // the last group has 64
        const columns = 3;
        const rows = Math.floor(manyNumbers.length / k);
        const x = manyNumbers.subarray(0, rows * k);
        const { bytes, floats } = storedWeight(type, k, columns);
        const packed = await pack(kernels, type, bytes, k, columns, format);
        const all = multiply(kernels, packed, x, k, columns, 2);
        const last = all.slice((rows - 10) * columns);
        expect(relativeError(last, product(floats, x.slice((rows - 10) * k), k))).toBeLessThan(0.02);
        for (const [first, count] of [
          [0, 1],
          [250, 9],
          [rows - 1, 1],
          [100, 66],
        ] as const) {
          const values = multiply(kernels, packed, x.slice(first * k, (first + count) * k), k, columns);
          const wanted = all.slice(first * columns, (first + count) * columns);
          expect(sameBits(values, wanted), `${count} rows from ${first}`).toBe(true);
        }
      },
    );

    test.each(own)('as %s: a NaN or an infinity makes its row NaN, and no other row', async (format) => {
      const [k, columns, rows] = [512, 70, 5];
      const { bytes, floats } = storedWeight(type, k, columns);
      const packed = await pack(kernels, type, bytes, k, columns, format);
      const x = Float32Array.from({ length: k * rows }, () => random() - 0.5);
      const clean = multiply(kernels, packed, x, k, columns);
      x[k + 300] = Number.NaN;
      x[3 * k + 2] = Number.POSITIVE_INFINITY;
      const y = multiply(kernels, packed, x, k, columns);
      const wanted = product(floats, x, k);
      for (const [i, value] of y.entries()) {
        const row = Math.floor(i / columns);
        expect(Number.isFinite(value)).toBe(Number.isFinite(wanted[i]));
        if (row % 2 === 0) expect(value).toBe(clean[i]);
      }
    });
  });

  test('the self-test passes', () => {
    expect(selfTest(kernels)).toBeNull();
  });

  test('products of small integers are exact', async () => {
    // With a maximum of 127 in every group, the scales are 1. Sums below 2^24 are exact.
    const [k, columns, rows] = [512, 130, 19];
    const x = Float32Array.from({ length: k * rows }, (_, i) => (i % 256 === 3 ? 127 : whole(127)));
    const w = Float32Array.from({ length: k * columns }, (_, i) => (i % 256 === 5 ? -127 : whole(20)));
    const data = new Uint8Array(w.buffer);
    const packed = await pack(kernels, 'f32', data, k, columns, 'bytes');
    expect(Array.from(multiply(kernels, packed, x, k, columns))).toEqual(Array.from(product(w, x, k)));
    for (const type of ['q4_0', 'iq4_nl'] as const) {
      // Blocks with the scale 1 and any nibbles.
      const bytes = new Uint8Array(rowBytes(type, k) * columns).map(() => Math.floor(random() * 256));
      for (let at = 0; at < bytes.length; at += 18) bytes.set([0x00, 0x3c], at);
      const floats = dequantized(type, bytes, k * columns);
      const nibbles = await pack(kernels, type, bytes, k, columns, 'nibbles');
      expect(Array.from(multiply(kernels, nibbles, x, k, columns))).toEqual(
        Array.from(product(floats, x, k)),
      );
    }
  });

  test('zeros give zeros, and the largest and smallest numbers do not crash or give NaN', async () => {
    const [k, columns] = [256, 64];
    for (const format of formats) {
      const { bytes } = storedWeight('q4_k', k, columns);
      const packed = await pack(kernels, 'q4_k', bytes, k, columns, format);
      const x = new Float32Array(k * 4);
      x.fill(1e-42, k, 2 * k)
        .fill(3e38, 2 * k, 3 * k)
        .fill(-1e20, 3 * k);
      const y = multiply(kernels, packed, x, k, columns);
      expect(y.slice(0, 2 * columns).every((value) => value === 0)).toBe(true);
      expect(y.some(Number.isNaN)).toBe(false);
      const zeros = await pack(kernels, 'q4_k', new Uint8Array(bytes.length), k, columns, format);
      expect(multiply(kernels, zeros, x, k, columns).every((value) => value === 0)).toBe(true);
    }
  });

  test('accepts the supported types and shapes only', () => {
    const format = (type: DType, ...shape: [number, number, number, number]) =>
      formatOf(kernels, { type, shape }, 'any rows');
    expect(format('iq4_nl', 4096, 14336, 1, 1)).toBe('nibbles');
    expect(format('q6_k', 4096, 128256, 1, 1)).toBe('bytes');
    expect(format('f32', 4096, 4096, 1, 1)).toBeNull();
    expect(format('q8_0', 64, 64, 2, 1)).toBeNull();
  });
});
