/** Keys are read from the packed layout of every variant. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/ggml/engine.ts';
import { Graph } from '../../src/ggml/graph.ts';
import { AttentionKernel } from '../../src/kernels/attention.ts';
import { PackedKeysValues } from '../../src/model/packed-attention.ts';
import { eachVariant } from '../kernels/each-variant.ts';

describe.each(eachVariant())('packed keys of $variant', ({ kernels }) => {
  it('can be read for a layer, a head and a range of tokens', async () => {
    const [headSize, kvHeads, n] = [48, 2, 70];
    using engine = new Engine({ device: 'cpu', threads: 1 });
    const kernel = new AttentionKernel(kernels, { headSize, heads: 4, kvHeads }, 1);
    using memory = new PackedKeysValues(engine, kernel, { layers: 2, capacity: 100 });
    const k = Float32Array.from({ length: headSize * kvHeads * n }, (_, i) => Math.sin(i * 0.37));
    const graph = new Graph(engine);
    const tensor = (data: Float32Array) => graph.input('f32', [headSize, kvHeads, n], data);
    const table = kernel.table(graph, [memory.rows(n, 0, null)]);
    kernel.append(graph, tensor(k), tensor(new Float32Array(k.length)), table, 1);
    await graph.run();
    const [head, start, end] = [1, 5, 67];
    const read = memory.readKeys({ layer: 1, head, start, end });
    expect(read).toHaveLength((end - start) * headSize);
    const worst = read.reduce((most, value, i) => {
      const [token, element] = [start + Math.floor(i / headSize), i % headSize];
      return Math.max(most, Math.abs(value - (k[(token * kvHeads + head) * headSize + element] ?? 0)));
    }, 0);
    // Values up to 1 with the 8 bits of a bf16.
    expect(worst).toBeLessThan(0.005);
  });
});
