import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../src/generate/sampler.ts';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { callKernel, type PlainTensor } from '../../src/kernels/direct-call.ts';
import type { Kernels } from '../../src/kernels/kernels.ts';
import { kernels } from '../../src/kernels/library.ts';
import { quantizedBytes } from '../../src/kernels/matmul.ts';
import { eachVariant } from './each-variant.ts';

interface Quantized {
  values: Int8Array;
  scales: Float32Array;
  groupSums: Int32Array;
  blockSums: Int16Array;
}

/** A simple implementation of the layout in src/kernels/c/activations.h. */
function reference(x: Float32Array, k: number): Quantized {
  const rows = x.length / k;
  const groups = Math.ceil(k / 256);
  const all = groups * rows;
  const values = new Int8Array(all * 256);
  const scales = new Float32Array(all);
  const groupSums = new Int32Array(all);
  const blockSums = new Int16Array(all * 8);
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const at = g * rows + row;
      const part = x.subarray(row * k + g * 256, row * k + Math.min(k, (g + 1) * 256));
      const largest = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const finite = part.every(Number.isFinite);
      const inverse = !finite || largest < 1e-36 ? 0 : Math.fround(127 / largest);
      scales[at] = !finite ? Number.NaN : inverse === 0 ? 0 : largest / 127;
      for (const [i, value] of part.entries()) {
        const q = inverse === 0 ? 0 : roundHalfToEven(Math.fround(value * inverse));
        values[at * 256 + i] = q;
        groupSums[at]! += q;
        blockSums[at * 8 + Math.floor(i / 32)]! += q;
      }
    }
  }
  return { values, scales, groupSums, blockSums };
}

function roundHalfToEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** Reads the layout from the first multiple of 64 bytes. */
function parse(data: Uint8Array<ArrayBuffer>, skip: number, k: number, rows: number): Quantized {
  const all = Math.ceil(k / 256) * rows;
  const bytes = data.buffer.slice(data.byteOffset + skip);
  return {
    values: new Int8Array(bytes, 0, all * 256),
    scales: new Float32Array(bytes, all * 256, all),
    groupSums: new Int32Array(bytes, all * 260, all),
    blockSums: new Int16Array(bytes, all * 264, all * 8),
  };
}

const random = randomFrom(1);
const rowsOf = (k: number, count: number) => Float32Array.from({ length: k * count }, () => random() - 0.5);

function quantized(kernels: Kernels, source: PlainTensor, threads = 1): Quantized {
  const [k, rows] = source.shape;
  const bytes = quantizedBytes(k, rows);
  const data = new Uint8Array(bytes);
  const dst: PlainTensor = { type: 'i8', shape: [bytes, 1, 1, 1], data };
  const address = callKernel(kernels.address('quantize'), dst, [source], { threads });
  return parse(data, Number((64n - (address % 64n)) % 64n), k, rows);
}

describe.each(eachVariant())('$variant', ({ kernels }) => {
  test.each([256, 512, 64, 32, 1792, 352])('rows of %i', (k) => {
    const rows = 5;
    const x = rowsOf(k, rows);
    x.set([1e38, -1e38, 0, 1e-38], 0);
    x.fill(0, k, 2 * k);
    x[2 * k + 3] = Number.NaN;
    x[3 * k + 31] = Number.NEGATIVE_INFINITY;
    x.fill(1e-40, 4 * k, 4 * k + 20);
    for (const threads of [1, 2, 7]) {
      const source = {
        type: 'f32' as const,
        shape: [k, rows, 1, 1] as const,
        data: new Uint8Array(x.buffer),
      };
      expect(quantized(kernels, source, threads)).toEqual(reference(x, k));
    }
  });

  test('rows of a view may begin at any float', () => {
    const [k, rows, stride] = [256, 3, 300];
    const x = rowsOf(stride, rows + 1);
    const source = {
      type: 'f32' as const,
      shape: [k, rows, 1, 1] as const,
      strides: [4, stride * 4, stride * 12, stride * 12] as const,
      data: new Uint8Array(x.buffer),
      offsetBytes: 20,
    };
    const packed = new Float32Array(k * rows);
    for (let row = 0; row < rows; row++)
      packed.set(x.subarray(5 + row * stride, 5 + row * stride + k), row * k);
    expect(quantized(kernels, source)).toEqual(reference(packed, k));
  });
});

test.runIf(kernels())('a kernel is a node of a graph', async () => {
  using engine = new Engine({ device: 'cpu', threads: 2 });
  const [k, rows] = [512, 9];
  const x = rowsOf(k, rows);
  const graph = new Graph(engine);
  const bytes = quantizedBytes(k, rows);
  const node = graph.custom(
    kernels()!.address('quantize'),
    'i8',
    [bytes],
    [graph.input('f32', [k, rows], x)],
  );
  // An output must be f32, so the memory is read as floats.
  graph.output('bytes', {
    ...node,
    type: 'f32',
    shape: [bytes / 4, 1, 1, 1],
    strides: [4, bytes, bytes, bytes],
  });
  const got = Uint8Array.from(new Uint8Array((await graph.run()).get('bytes')!.buffer));
  // ggml aligns to at least 32 bytes, so the values begin at one of two offsets.
  expect([0, 32].map((skip) => parse(got, skip, k, rows))).toContainEqual(reference(x, k));
});
