import { afterAll, describe, expect, test } from 'vitest';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import type { Tensor } from '../../src/ggml/tensor.ts';
import { caught } from '../checkpoint/caught.ts';

const engine = new Engine({ device: 'cpu', threads: 1 });
afterAll(() => engine[Symbol.dispose]());

/** An f32 tensor of these sizes, fastest axis first. */
function f32(graph: Graph, sizes: number[], ...values: number[]): Tensor {
  const count = sizes.reduce((a, b) => a * b, 1);
  const data = values.length > 0 ? values : Array.from({ length: count }, (_, i) => i + 1);
  return graph.input('f32', sizes, Float32Array.from(data));
}

function i32(graph: Graph, ...values: number[]): Tensor {
  return graph.input('i32', [values.length], Int32Array.from(values));
}

async function compute(build: (graph: Graph) => Tensor): Promise<{ shape: number[]; values: number[] }> {
  const graph = new Graph(engine);
  const result = build(graph);
  graph.output('result', result);
  const values = (await graph.run()).get('result') ?? [];
  return { shape: [...result.shape], values: [...values] };
}

async function expectValues(build: (graph: Graph) => Tensor, shape: number[], wanted: number[], digits = 5) {
  const result = await compute(build);
  expect(result.shape).toEqual([...shape, 1, 1, 1, 1].slice(0, 4));
  expect(result.values.length).toBe(wanted.length);
  for (const [i, value] of result.values.entries())
    expect(value, `index ${i}`).toBeCloseTo(wanted[i]!, digits);
}

describe('operations compute the right results:', () => {
  test('add and mul repeat the second along the axes that it divides', async () => {
    const bias = (g: Graph) => f32(g, [2], 10, 20);
    await expectValues((g) => g.add(f32(g, [2, 3]), bias(g)), [2, 3], [11, 22, 13, 24, 15, 26]);
    await expectValues((g) => g.mul(f32(g, [2, 3]), bias(g)), [2, 3], [10, 40, 30, 80, 50, 120]);
  });

  test('mulMat is weight times x, in f32 and in bf16', async () => {
    // weight [[1, 2, 3], [4, 5, 6]], x rows [1, 0, -1] and [2, 2, 2]
    const wanted = [-2, -2, 12, 30];
    const x = (g: Graph) => f32(g, [3, 2], 1, 0, -1, 2, 2, 2);
    await expectValues((g) => g.mulMat(f32(g, [3, 2]), x(g)), [2, 2], wanted);
    await expectValues((g) => g.mulMat(g.cast(f32(g, [3, 2]), 'bf16'), x(g)), [2, 2], wanted);
  });

  test('norm and rmsNorm work on each row', async () => {
    const x = (g: Graph) => f32(g, [2, 2], 1, 3, 3, 4);
    // Means 2 and 3.5, variances 1 and 0.25; mean squares 5 and 12.5.
    await expectValues((g) => g.norm(x(g), 0), [2, 2], [-1, 1, -1, 1]);
    await expectValues(
      (g) => g.norm(x(g), 3),
      [2, 2],
      [-0.5, 0.5, -0.5 / Math.sqrt(3.25), 0.5 / Math.sqrt(3.25)],
    );
    const [a, b] = [Math.sqrt(5), Math.sqrt(12.5)];
    await expectValues((g) => g.rmsNorm(x(g), 0), [2, 2], [1 / a, 3 / a, 3 / b, 4 / b]);
    await expectValues(
      (g) => g.rmsNorm(x(g), 4),
      [2, 2],
      [1 / 3, 1, 3 / Math.sqrt(16.5), 4 / Math.sqrt(16.5)],
    );
  });

  test('gelu is exact: the tanh approximation differs in the fourth digit', async () => {
    const wanted = [0, 0.8413447, -0.1586553, 1.9544997];
    await expectValues((g) => g.gelu(f32(g, [4], 0, 1, -1, 2)), [4], wanted, 6);
  });

  test('swiglu is silu of the first times the second', async () => {
    const silu = (x: number) => x / (1 + Math.exp(-x));
    const wanted = [silu(1) * 3, silu(-2) * 5];
    await expectValues((g) => g.swiglu(f32(g, [2], 1, -2), f32(g, [2], 3, 5)), [2], wanted);
  });

  test('getRows copies rows in the order of the indices', async () => {
    const build = (g: Graph) => g.getRows(f32(g, [2, 3]), i32(g, 2, 0, 2));
    await expectValues(build, [2, 3], [5, 6, 1, 2, 5, 6]);
  });

  test('cast to f16 rounds, and the cast back is exact', async () => {
    const build = (g: Graph) => g.cast(g.cast(f32(g, [3], 1, 1.0001, 0.1), 'f16'), 'f32');
    await expectValues(build, [3], [1, 1, 0.0999755859375], 9);
  });

  test('permute moves axes, contiguous copies to the new order', async () => {
    const turned = (g: Graph) => g.permute(f32(g, [3, 2]), 1, 0, 2, 3);
    await expectValues((g) => g.contiguous(turned(g)), [2, 3], [1, 4, 2, 5, 3, 6]);
    await expectValues(turned, [2, 3], [1, 4, 2, 5, 3, 6]);
    // Axis i becomes axis axes[i].
    const sizes = await compute((g) => g.contiguous(g.permute(f32(g, [2, 3, 4]), 2, 0, 1, 3)));
    expect(sizes.shape).toEqual([3, 4, 2, 1]);
    expect(sizes.values.slice(0, 4)).toEqual([1, 3, 5, 7]);
  });

  test('concatRows, reshape, view and rows', async () => {
    const joined = (g: Graph) => g.concatRows(f32(g, [2, 1], 9, 8), f32(g, [2, 2]));
    await expectValues(joined, [2, 3], [9, 8, 1, 2, 3, 4]);
    await expectValues((g) => g.reshape(joined(g), 3, 2), [3, 2], [9, 8, 1, 2, 3, 4]);
    await expectValues((g) => g.rows(joined(g), 1, 2), [2, 2], [1, 2, 3, 4]);
    await expectValues((g) => g.view(f32(g, [4, 2]), [2, 2], [16, 32, 32], 4), [2, 2], [2, 3, 6, 7]);
  });

  test('copy writes to a tensor, in its type', async () => {
    const build = (g: Graph) => {
      const to = g.cast(f32(g, [2, 3], 0, 0, 0, 0, 0, 0), 'f16');
      g.effect(to);
      g.effect(g.copy(f32(g, [2, 1], 7, 8), g.rows(to, 1, 1)));
      return g.cast(to, 'f32');
    };
    await expectValues(build, [2, 3], [0, 0, 7, 8, 0, 0]);
  });

  test('setRows writes rows to the given indices', async () => {
    const build = (g: Graph) => {
      const to = g.cast(f32(g, [2, 3], 0, 0, 1, 1, 0, 0), 'f16');
      g.effect(to);
      const at = g.input('i64', [2], BigInt64Array.of(2n, 0n));
      g.effect(g.setRows(to, f32(g, [2, 2], 7, 8, 5, 6), at));
      return g.cast(to, 'f32');
    };
    await expectValues(build, [2, 3], [5, 6, 1, 1, 7, 8]);
  });

  test('rope rotates the pair (i, i + d/2) by position * base^(-2i/d) / factor', async () => {
    const [angle0, angle1] = [3, (3 * 100 ** -0.5) / 2];
    const turned = [
      1 * Math.cos(angle0) - 3 * Math.sin(angle0),
      2 * Math.cos(angle1) - 4 * Math.sin(angle1),
      3 * Math.cos(angle0) + 1 * Math.sin(angle0),
      4 * Math.cos(angle1) + 2 * Math.sin(angle1),
    ];
    const build = (g: Graph) =>
      g.rope(f32(g, [4, 1, 2], 1, 2, 3, 4, 1, 2, 3, 4), i32(g, 0, 3), f32(g, [2], 1, 2), 100);
    await expectValues(build, [4, 1, 2], [1, 2, 3, 4, ...turned]);
  });

  test('attention: scale, mask, and consecutive query heads share a head of keys', async () => {
    const d = 32;
    const first = (x: number) => Array.from({ length: d }, (_, i) => (i === 0 ? x : 0));
    // Two query heads over one head of keys; scores are q0 * k0 * scale with the keys 1 and 2.
    const minusInfinity = 0xfc00;
    const build = (g: Graph) =>
      g.attention(
        f32(g, [d, 2, 4], ...[1, 1, 2, 2, 3, 3, 4, 4].flatMap(first)),
        f32(g, [d, 2, 2], ...[1, 2, 1, 3].flatMap(first)),
        f32(g, [d, 2, 2], ...[10, 20, 30, 50].flatMap(first)),
        g.input('f16', [2, 2], Uint16Array.of(0, minusInfinity, 0, 0)),
        0.5,
      );
    const { shape, values } = await compute(build);
    expect(shape).toEqual([d, 4, 2, 1]);
    const mixed = (low: number, high: number, gap: number) => {
      const weight = 1 / (1 + Math.exp(-gap));
      return low * (1 - weight) + high * weight;
    };
    // Row 0 attends to the first key only, row 1 to both. Heads 0 and 1 read keys 1 and 2, heads 2 and 3 keys 1 and 3.
    const wanted = [10, 10, 30, 30, mixed(10, 20, 0.5), mixed(10, 20, 1), mixed(30, 50, 3), mixed(30, 50, 4)];
    for (const [i, value] of wanted.entries())
      expect(values[i * d], `row and head ${i}`).toBeCloseTo(value, 4);
  });
});

describe('wrong shapes throw an error with the shapes, and the process continues:', () => {
  const cases: [string, (g: Graph) => unknown, string[]][] = [
    ['add', (g) => g.add(f32(g, [4, 3]), f32(g, [3])), ['add', '[4, 3, 1, 1]', '[3, 1, 1, 1]']],
    ['add of a larger', (g) => g.add(f32(g, [2]), f32(g, [4])), ['add', '[2, 1, 1, 1]', '[4, 1, 1, 1]']],
    ['mul', (g) => g.mul(f32(g, [4, 3]), f32(g, [4, 2])), ['mul', '[4, 3, 1, 1]', '[4, 2, 1, 1]']],
    ['mul of f16', (g) => g.mul(f32(g, [4]), g.cast(f32(g, [4]), 'f16')), ['mul', 'f32', 'f16']],
    ['mulMat', (g) => g.mulMat(f32(g, [4, 3]), f32(g, [5, 2])), ['mulMat', '[4, 3, 1, 1]', '[5, 2, 1, 1]']],
    [
      'mulMat by f16',
      (g) => g.mulMat(f32(g, [4, 3]), g.cast(f32(g, [4, 2]), 'f16')),
      ['mulMat', 'f32 [4, 3, 1, 1]', 'f16 [4, 2, 1, 1]'],
    ],
    [
      'mulMat by columns',
      (g) => g.mulMat(f32(g, [2, 3]), g.permute(f32(g, [4, 2]), 1, 0, 2, 3)),
      ['mulMat', '[2, 3, 1, 1]', '[2, 4, 1, 1]'],
    ],
    ['mulMat of integers', (g) => g.mulMat(i32(g, 1, 2), f32(g, [2])), ['mulMat', 'i32 [2, 1, 1, 1]']],
    ['getRows of integers', (g) => g.getRows(i32(g, 1, 2), i32(g, 0)), ['getRows', 'i32 [2, 1, 1, 1]']],
    ['norm', (g) => g.norm(g.cast(f32(g, [4]), 'f16'), 0), ['norm', 'f16 [4, 1, 1, 1]']],
    ['rmsNorm', (g) => g.rmsNorm(g.permute(f32(g, [4, 2]), 1, 0, 2, 3), 0), ['rmsNorm', '[2, 4, 1, 1]']],
    ['gelu', (g) => g.gelu(g.permute(f32(g, [4, 2]), 1, 0, 2, 3)), ['gelu', '[2, 4, 1, 1]']],
    ['swiglu', (g) => g.swiglu(f32(g, [4]), f32(g, [5])), ['swiglu', '[4, 1, 1, 1]', '[5, 1, 1, 1]']],
    [
      'getRows',
      (g) => g.getRows(f32(g, [4, 2]), f32(g, [3])),
      ['getRows', '[4, 2, 1, 1]', 'f32 [3, 1, 1, 1]'],
    ],
    ['copy', (g) => g.copy(f32(g, [4]), f32(g, [5])), ['copy', '[4, 1, 1, 1]', '[5, 1, 1, 1]']],
    [
      'setRows',
      (g) => g.setRows(f32(g, [4, 2]), f32(g, [4, 1]), i32(g, 1)),
      ['setRows', '[4, 2, 1, 1]', 'i32 [1, 1, 1, 1]'],
    ],
    ['cast', (g) => g.cast(f32(g, [256]), 'q4_k'), ['cast', '[256, 1, 1, 1]']],
    [
      'concatRows',
      (g) => g.concatRows(f32(g, [4, 1]), f32(g, [5, 1])),
      ['concatRows', '[4, 1, 1, 1]', '[5, 1, 1, 1]'],
    ],
    ['reshape', (g) => g.reshape(f32(g, [4, 3]), 5, 2), ['reshape to [5, 2]', '[4, 3, 1, 1]']],
    ['reshape to nothing', (g) => g.reshape(f32(g, [4]), 0), ['[0]']],
    ['view past the end', (g) => g.view(f32(g, [4, 2]), [4, 2], [16, 32, 32], 4), ['view', '[4, 2, 1, 1]']],
    ['rows past the end', (g) => g.rows(f32(g, [4, 2]), 1, 2), ['view', '[4, 2, 1, 1]']],
    ['permute', (g) => g.permute(f32(g, [4, 2]), 0, 0, 2, 3), ['permute by [0, 0, 2, 3]', '[4, 2, 1, 1]']],
    [
      'rope positions',
      (g) => g.rope(f32(g, [4, 1, 2]), i32(g, 1, 2, 3), f32(g, [2]), 10),
      ['rope', '[4, 1, 2, 1]', '[3, 1, 1, 1]'],
    ],
    [
      'rope factors',
      (g) => g.rope(f32(g, [4, 1, 2]), i32(g, 1, 2), f32(g, [4]), 10),
      ['rope', '[4, 1, 2, 1]', '[4, 1, 1, 1]'],
    ],
    [
      'rope of columns',
      (g) => g.rope(g.permute(f32(g, [2, 4, 2]), 1, 0, 2, 3), i32(g, 1, 2), f32(g, [2]), 10),
      ['rope', '[4, 2, 2, 1]', '[2, 1, 1, 1]'],
    ],
    [
      'attention batch',
      (g) => g.attention(f32(g, [32, 2, 2, 2]), f32(g, [32, 2, 2]), f32(g, [32, 2, 2]), null, 1),
      ['attention', '[32, 2, 2, 2]', '[32, 2, 2, 1]'],
    ],
    [
      'attention to integers',
      (g) => g.attention(f32(g, [2]), i32(g, 1, 2), i32(g, 1, 2), null, 1),
      ['attention', 'i32 [2, 1, 1, 1]'],
    ],
    [
      'attention heads',
      (g) => g.attention(f32(g, [32, 2, 3]), f32(g, [32, 2, 2]), f32(g, [32, 2, 2]), null, 1),
      ['attention', '[32, 2, 3, 1]', '[32, 2, 2, 1]'],
    ],
    [
      'attention values',
      (g) => g.attention(f32(g, [32, 2, 2]), f32(g, [32, 4, 2]), f32(g, [32, 3, 2]), null, 1),
      ['attention', '[32, 4, 2, 1]', '[32, 3, 2, 1]'],
    ],
    [
      'attention mask',
      (g) => {
        const mask = g.input('f16', [3, 2], new Uint16Array(6));
        return g.attention(f32(g, [32, 2, 2]), f32(g, [32, 4, 2]), f32(g, [32, 4, 2]), mask, 1);
      },
      ['attention', '[32, 4, 2, 1]', 'f16 [3, 2, 1, 1]'],
    ],
    ['five axes', (g) => g.input('f32', [1, 1, 1, 1, 1], new Float32Array(1)), ['[1, 1, 1, 1, 1]']],
    ['half a block', (g) => g.input('q8_0', [33], new Uint16Array(1)), ['33', 'blocks of 32', 'q8_0']],
    ['input', (g) => g.input('f32', [4], new Float32Array(3)), ['12 bytes', 'f32 [4, 1, 1, 1]']],
    ['output of f16', (g) => g.output('x', g.cast(f32(g, [4]), 'f16')), ['f32', 'f16 [4, 1, 1, 1]']],
  ];

  test.each(cases)('%s', (_, build, parts) => {
    const error = caught(() => build(new Graph(engine)));
    expect(error.code).toBe('engine_bug');
    for (const part of parts) expect(error.message).toContain(part);
  });
});
