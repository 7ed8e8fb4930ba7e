import koffi from 'koffi';
import { dtypes, rowBytes } from '../ggml/dtype.ts';
import { addressOf, callKernel, type PlainTensor } from './direct-call.ts';
import type { Kernels } from './library.ts';
import { type Format, packedBytes, quantizedBytes } from './matmul.ts';

/** One group of 256 and one more, a whole panel of columns and part of one, more rows than a tile of six. */
const [k, columns, rows] = [512, 70, 9];
const iq4nlValues = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const packBytesType = koffi.proto(
  'void cogvlm2_pack_bytes(void *from, size_t row_bytes, int64_t k, int64_t columns, void *convert, void *to)',
);
const packNibblesType = koffi.proto(
  'void cogvlm2_pack_nibbles(void *from, size_t row_bytes, int64_t k, int64_t columns, int type, void *to)',
);

/**
 * Multiplies whole numbers, whose products come out exactly, in both formats of weights. Takes about a millisecond.
 * @returns what is wrong, or null
 */
export function selfTest(kernels: Kernels): string | null {
  // The largest of every 256 is 127, so that all scales are 1.
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
  if (!isProduct(kernels, bytes, x, whole)) return 'a product of bytes has another result';

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
  return isProduct(kernels, nibbles, x, floats) ? null : 'a product of 4-bit weights has another result';
}

function packed(type: 'f32' | 'iq4_nl', format: Format): PlainTensor {
  const size = packedBytes({ type, shape: [k, columns, 1, 1] }, format);
  return { type: 'i8', shape: [size, 1, 1, 1], data: new Uint8Array(size) };
}

/** Whether the kernels multiply x [k, rows] with what is packed as with `weights` [k, columns], to the last bit. */
function isProduct(kernels: Kernels, packed: PlainTensor, x: Float32Array, weights: Float32Array): boolean {
  const size = quantizedBytes(k, rows);
  const quantized: PlainTensor = { type: 'i8', shape: [size, 1, 1, 1], data: new Uint8Array(size) };
  const source = { type: 'f32' as const, shape: [k, rows, 1, 1] as const, data: bytesOf(x) };
  callKernel(kernels.address('quantize'), quantized, [source]);
  const y = new Float32Array(columns * rows);
  const dst = { type: 'f32' as const, shape: [columns, rows, 1, 1] as const, data: bytesOf(y) };
  callKernel(kernels.address('matmul'), dst, [packed, quantized], { user: BigInt(k) });
  return y.every((value, i) => {
    const [row, column] = [Math.floor(i / columns) * k, (i % columns) * k];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += (x[row + j] ?? 0) * (weights[column + j] ?? 0);
    return value === sum;
  });
}

function bytesOf(floats: Float32Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = floats;
  if (buffer instanceof SharedArrayBuffer) throw new TypeError('shared memory');
  return new Uint8Array(buffer, byteOffset, byteLength);
}
