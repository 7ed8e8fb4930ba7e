import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/random.ts';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { callKernel } from '../../src/kernels/direct-call.ts';
import { kernels } from '../../src/kernels/library.ts';
import { eachVariant } from './each-variant.ts';

const paddedOf = (k: number) => Math.ceil(k / 64) * 64;
const groupsOf = (padded: number) => Math.ceil(padded / 256);
const rowBytesOf = (k: number) => paddedOf(k) + groupsOf(paddedOf(k)) * 8 + (paddedOf(k) / 32) * 4;

/** The layout of src/kernels/c/activations.h, computed plainly. */
function reference(x: Float32Array, k: number): Uint8Array {
  const padded = paddedOf(k);
  const groups = groupsOf(padded);
  const row = new Uint8Array(rowBytesOf(k));
  const values = new Int8Array(row.buffer, 0, padded);
  const scales = new Float32Array(row.buffer, padded, groups);
  const sums = new Int32Array(row.buffer, padded + groups * 4, groups + padded / 32);
  for (let g = 0; g < groups; g++) {
    const part = x.subarray(g * 256, Math.min(k, (g + 1) * 256));
    const largest = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const finite = part.every(Number.isFinite);
    scales[g] = !finite ? Number.NaN : largest < 1e-36 ? 0 : largest / 127;
    const inverse = !finite || largest < 1e-36 ? 0 : Math.fround(127 / largest);
    for (const [i, value] of part.entries()) {
      const q = inverse === 0 ? 0 : roundHalfToEven(Math.fround(value * inverse));
      values[g * 256 + i] = q;
      sums[g]! += q;
      sums[groups + Math.floor((g * 256 + i) / 32)]! += q;
    }
  }
  return row;
}

function roundHalfToEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

const random = randomFrom(1);
const rowsOf = (k: number, count: number) => Float32Array.from({ length: k * count }, () => random() - 0.5);

describe.each(eachVariant())('$variant', ({ kernels }) => {
  test.each([256, 512, 64, 32, 1792, 352])('rows of %i', (k) => {
    const rows = 5;
    const x = rowsOf(k, rows);
    x.set([1e38, -1e38, 0, 1e-38], 0);
    x.fill(0, k, 2 * k);
    x[2 * k + 3] = Number.NaN;
    x[3 * k + 31] = Number.NEGATIVE_INFINITY;
    const bytes = rowBytesOf(k);
    for (const threads of [1, 2, 7]) {
      const data = new Uint8Array(bytes * rows);
      const source = {
        type: 'f32' as const,
        shape: [k, rows, 1, 1] as const,
        data: new Uint8Array(x.buffer),
      };
      callKernel(kernels.address('quantize'), { type: 'i8', shape: [bytes, rows, 1, 1], data }, [source], {
        threads,
      });
      for (let row = 0; row < rows; row++) {
        const got = data.slice(row * bytes, (row + 1) * bytes);
        expect(got, `row ${row}`).toEqual(reference(x.slice(row * k, (row + 1) * k), k));
      }
    }
  });

  test('rows of a view that begin at any float', () => {
    const [k, rows, stride] = [256, 3, 300];
    const x = rowsOf(stride, rows + 1);
    const data = new Uint8Array(rowBytesOf(k) * rows);
    const source = {
      type: 'f32' as const,
      shape: [k, rows, 1, 1] as const,
      strides: [4, stride * 4, stride * 12, stride * 12] as const,
      data: new Uint8Array(x.buffer),
      offsetBytes: 20,
    };
    callKernel(kernels.address('quantize'), { type: 'i8', shape: [rowBytesOf(k), rows, 1, 1], data }, [
      source,
    ]);
    const wanted = reference(x.slice(5 + stride, 5 + stride + k), k);
    expect(data.slice(rowBytesOf(k), 2 * rowBytesOf(k))).toEqual(wanted);
  });
});

test.runIf(kernels())('a kernel is a node of a graph', async () => {
  using engine = new Engine({ device: 'cpu', threads: 2 });
  const [k, rows] = [512, 9];
  const x = rowsOf(k, rows);
  const graph = new Graph(engine);
  const input = graph.input('f32', [k, rows], x);
  const bytes = rowBytesOf(k);
  const quantized = graph.custom(kernels()!.address('quantize'), 'i8', [bytes, rows], [input]);
  // An output is f32: the same memory, seen as floats.
  graph.output('bytes', {
    ...quantized,
    type: 'f32',
    shape: [bytes / 4, rows, 1, 1],
    strides: [4, bytes, bytes * rows, bytes * rows],
  });
  const got = new Uint8Array((await graph.run()).get('bytes')!.buffer);
  expect(got.slice(bytes * 8)).toEqual(reference(x.slice(8 * k), k));
});
