import koffi from 'koffi';
import { dtypes, rowBytes } from '../ggml/dtype.ts';
import { AttentionKernel } from './attention.ts';
import { addressOf, callKernel, type PlainTensor } from './direct-call.ts';
import { wordsBytes } from './float-matmul.ts';
import type { Kernels } from './kernels.ts';
import { type Format, packedBytes, quantizedBytes } from './matmul.ts';

/** k has two groups of 256, the columns a whole panel and a part of one, the rows more than a tile of six. */
const [k, columns, rows] = [512, 70, 9];
const iq4nlValues = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const packBytesType = koffi.proto(
  'void cogvlm2_pack_bytes(void *from, size_t row_bytes, int64_t k, int64_t columns, void *convert, void *to)',
);
const packNibblesType = koffi.proto(
  'void cogvlm2_pack_nibbles(void *from, size_t row_bytes, int64_t k, int64_t columns, int type, void *to)',
);

/** Runs every kernel on a few numbers, which takes a few milliseconds. @returns the problem, or null */
export function selfTest(kernels: Kernels): string | null {
  return productProblem(kernels) ?? floatProductProblem(kernels) ?? attentionProblem(kernels);
}

/** Multiplies integers that bf16 can represent exactly. */
function floatProductProblem(kernels: Kernels): string | null {
  const x = Float32Array.from({ length: k * rows }, (_, i) => ((i * 37) % 25) - 12);
  const whole = Float32Array.from({ length: k * columns }, (_, i) => ((i * 29) % 41) - 20);
  // The upper 16 bits of a float are the bf16 number.
  const upper = Uint16Array.from(new Uint32Array(whole.buffer), (bits) => bits >>> 16);
  const weight: PlainTensor = { type: 'bf16', shape: [k, columns, 1, 1], data: bytesOf(upper) };
  const size = wordsBytes(kernels, k, rows);
  const words: PlainTensor = { type: 'i8', shape: [size, 1, 1, 1], data: new Uint8Array(size) };
  callKernel(kernels.address('words'), words, [{ type: 'f32', shape: [k, rows, 1, 1], data: bytesOf(x) }]);
  const y = new Float32Array(columns * rows);
  const dst: PlainTensor = { type: 'f32', shape: [columns, rows, 1, 1], data: bytesOf(y) };
  callKernel(kernels.address('matmul_words'), dst, [weight, words]);
  return hasProducts(y, x, whole) ? null : 'a product of 16-bit weights has a wrong result';
}

/** Multiplies integers, whose products are exact, in both formats of weights. */
function productProblem(kernels: Kernels): string | null {
  // The maximum of each group of 256 is 127, so that all scales are 1.
  const x = Float32Array.from({ length: k * rows }, (_, i) => (i % 256 === 0 ? 127 : ((i * 37) % 251) - 125));
  const whole = Float32Array.from({ length: k * columns }, (_, i) =>
    i % 256 === 9 ? -127 : ((i * 29) % 41) - 20,
  );
  const bytes = packed('f32', 'bytes');
  koffi.decode(kernels.address('pack_bytes'), packBytesType)(
    whole,
    k * 4,
    k,
    columns,
    null,
    addressOf(bytes),
  );
  if (!isProduct(kernels, bytes, x, whole)) return 'a product of bytes has a wrong result';

  const stored = new Uint8Array(rowBytes('iq4_nl', k) * columns);
  const floats = new Float32Array(k * columns);
  for (let block = 0; block < floats.length / 32; block++) {
    stored.set([0x00, 0x3c], block * 18); // The scale 1 as f16.
    for (let i = 0; i < 16; i++) {
      const [low, high] = [(block * 5 + i * 3) % 16, (block + i * 7) % 16];
      stored[block * 18 + 2 + i] = low | (high << 4);
      floats[block * 32 + i] = iq4nlValues[low] ?? 0;
      floats[block * 32 + 16 + i] = iq4nlValues[high] ?? 0;
    }
  }
  const nibbles = packed('iq4_nl', 'nibbles');
  const { id } = dtypes.iq4_nl;
  koffi.decode(kernels.address('pack_nibbles'), packNibblesType)(
    stored,
    rowBytes('iq4_nl', k),
    k,
    columns,
    id,
    addressOf(nibbles),
  );
  return isProduct(kernels, nibbles, x, floats) ? null : 'a product of 4-bit weights has a wrong result';
}

function packed(type: 'f32' | 'iq4_nl', format: Format): PlainTensor {
  const size = packedBytes({ type, shape: [k, columns, 1, 1] }, format);
  return { type: 'i8', shape: [size, 1, 1, 1], data: new Uint8Array(size) };
}

/** True if the product of x [k, rows] and `packed` equals that of x and `weights` [k, columns], to the last bit. */
function isProduct(kernels: Kernels, packed: PlainTensor, x: Float32Array, weights: Float32Array): boolean {
  const size = quantizedBytes(k, rows);
  const quantized: PlainTensor = { type: 'i8', shape: [size, 1, 1, 1], data: new Uint8Array(size) };
  const source = { type: 'f32' as const, shape: [k, rows, 1, 1] as const, data: bytesOf(x) };
  callKernel(kernels.address('quantize'), quantized, [source]);
  const y = new Float32Array(columns * rows);
  const dst = { type: 'f32' as const, shape: [columns, rows, 1, 1] as const, data: bytesOf(y) };
  callKernel(kernels.address('matmul'), dst, [packed, quantized], { user: BigInt(k) });
  return hasProducts(y, x, weights);
}

/** True if y is x [k, rows] times weights [k, columns], to the last bit. */
function hasProducts(y: Float32Array, x: Float32Array, weights: Float32Array): boolean {
  return y.every((value, i) => {
    const [row, column] = [Math.floor(i / columns) * k, (i % columns) * k];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += (x[row + j] ?? 0) * (weights[column + j] ?? 0);
    return value === sum;
  });
}

/** Computes causal attention of a few rows, with two heads over one head of keys and values. */
function attentionProblem(kernels: Kernels): string | null {
  const [headSize, heads, n] = [48, 2, 70];
  const kernel = new AttentionKernel(kernels, { headSize, heads, kvHeads: 1 }, 1);
  const numbers = (count: number, step: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(i * step));
  const [q, k, v] = [
    numbers(headSize * heads * n, 0.7),
    numbers(headSize * n, 1.3),
    numbers(headSize * n, 2.1),
  ];
  // The memory that the kernel must not read is NaN.
  const memory = new Uint8Array(kernel.packedBytes(1, n)).fill(0xff);
  const table = kernel.tableData([
    {
      address: addressOf({ type: 'i8', shape: [memory.length, 1, 1, 1], data: memory }),
      capacity: n,
      rows: n,
      at: 0,
      keys: null,
    },
  ]);
  const result = new Float32Array(headSize * heads * n + kernel.scratchBytes / 4);
  const tensor = (data: Float32Array, ...sizes: [number, number, number]) =>
    ({ type: 'f32', shape: [...sizes, 1], data: bytesOf(data) }) as const;
  const source = {
    type: 'i64',
    shape: [table.length, 1, 1, 1],
    data: bytesOf(table),
  } as const;
  const done = tensor(new Float32Array(1), 1, 1, 1);
  callKernel(kernels.address('attention_append'), done, [
    tensor(k, headSize, 1, n),
    tensor(v, headSize, 1, n),
    source,
  ]);
  const dst = tensor(result, result.length, 1, 1);
  callKernel(kernels.address('attention'), dst, [tensor(q, headSize, heads, n), source]);
  for (const row of [0, n - 1]) {
    for (let head = 0; head < heads; head++) {
      const first = (row * heads + head) * headSize;
      const dot = (key: number) =>
        q.subarray(first, first + headSize).reduce((sum, x, i) => sum + x * (k[key * headSize + i] ?? 0), 0);
      const weights = Array.from({ length: row + 1 }, (_, key) => Math.exp(dot(key) / Math.sqrt(headSize)));
      const total = weights.reduce((a, b) => a + b);
      for (let i = 0; i < headSize; i++) {
        const wanted =
          weights.reduce((sum, weight, key) => sum + weight * (v[key * headSize + i] ?? 0), 0) / total;
        if (!(Math.abs((result[first + i] ?? Number.NaN) - wanted) < 0.02))
          return 'attention has a wrong result';
      }
    }
  }
  return null;
}

function bytesOf(numbers: Float32Array | BigInt64Array | Uint16Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = numbers;
  if (buffer instanceof SharedArrayBuffer) throw new TypeError('shared memory');
  return new Uint8Array(buffer, byteOffset, byteLength);
}
