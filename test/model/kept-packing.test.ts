import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import { ggml } from '../../src/ggml/library.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import { planModel } from '../../src/model/plan-model.ts';
import { promptRows, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-stop-packing-'));
afterAll(() => rmSync(folder, { recursive: true }));

const layers = 2;
/** The matrices of the language expert in a decoder layer: query_key_value, dense, gate, up, down. */
const layerMatrices = 5;

// Types that ggml packs. The kernels of src/kernels pack all types.
process.env.COGVLM2_KERNELS = 'ggml';

// On other processors int4 may not be packed.
test.runIf(process.arch === 'x64')(
  'the plan counts the packed language weights; an abort leaves their packing, and the next prompt finishes it',
  async () => {
    const config = { ...tinyConfig, hidden_size: 256, intermediate_size: 256, num_hidden_layers: layers };
    const file = path.join(folder, 'int4.gguf');
    const source = writeTinyCheckpoint(path.join(folder, 'source'), { config });
    await convertToGguf(openCheckpoint(source), file, { type: 'int4' });
    const load = () => Model.load(openCheckpoint(file), { device: 'cpu', threads: 1, parallel: 1 });
    const { tensors } = openCheckpoint(file);
    const matrices = [...tensors.values()].filter(({ name }) => /language_.*weight$/.test(name));
    const planned = (parallel: number) =>
      planModel(openCheckpoint(file), { device: 'cpu', parallel }).plan.packedCopies;
    expect(matrices).toHaveLength(layers * layerMatrices);
    const bytesOf = (some: typeof matrices) => some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(planned(1).sizeBytes).toBe(bytesOf(matrices));
    expect(planned(2).sizeBytes).toBe(bytesOf(matrices.filter(({ type }) => type === 'iq4_nl')));
    using model = await load();
    using cache = model.newCache(32);
    const prompt = promptRows([5, 9, 33], 0);
    const stop = new AbortController();
    const reason = new Error('enough');
    const runAsync = ggml().runAsync;
    const packing = vi.spyOn(ggml(), 'runAsync').mockImplementation((...call) => {
      stop.abort(reason);
      return runAsync(...call);
    });
    const stopped = model.prefill(prompt, cache, { image: null, signal: stop.signal });
    await expect(stopped).rejects.toBe(reason);
    expect(packing.mock.calls.length).toBeLessThan(layerMatrices);
    const logits = await model.prefill(prompt, cache, { image: null });
    expect(packing.mock.calls.length).toBe(layers * layerMatrices);
    packing.mockRestore();
    using other = await load();
    using fresh = other.newCache(32);
    expect(await other.prefill(prompt, fresh, { image: null })).toEqual(logits);
  },
);
