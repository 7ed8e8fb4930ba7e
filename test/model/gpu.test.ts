/**
 * Results do not depend on the device of the layers. Needs a GPU that ggml supports, or a software renderer (docs/ggml-builds.md).
 * With GGML_VK_DISABLE_F16=1, Vulkan's products of several rows are precise enough for these limits.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { listDevices } from '../../src/ggml/devices.ts';
import { Model, type ModelOptions } from '../../src/model/cogvlm2.ts';
import { difference, floats, goldenFolder, integers, readGolden } from './tensors.ts';
import { promptRows, randomPixels, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-gpu-'));
afterAll(() => rmSync(folder, { recursive: true }));
const gpu = listDevices().find(({ kind }) => kind === 'gpu' || kind === 'igpu');
const limit = process.env.GGML_VK_DISABLE_F16 ? 2e-4 : 0.03;

describe.skipIf(!gpu)('random weights', () => {
  const checkpoint = () => openCheckpoint(writeTinyCheckpoint(folder));

  async function answer(options: ModelOptions) {
    using model = await Model.load(checkpoint(), options);
    using image = await model.encodeImage(randomPixels(tinyConfig));
    using cache = model.newCache(32);
    const prompt = promptRows([5, 9, 33], model.config.vision.imageTokens);
    const first = await model.prefill(prompt, cache, { image });
    const second = await model.step(4, (prompt.positions.at(-1) ?? 0) + 1, cache);
    return { placement: model.placement, logits: Float32Array.from([...first, ...second]) };
  }

  test.each([
    [120_000, 'a part of the tower on the GPU', { tower: 1, adapter: 0, 'language experts': 0 }],
    [160_000, 'the tower on the GPU, language on the CPU', { tower: 2, adapter: 0, 'language experts': 0 }],
    [3_240_000, 'a part of the decoder on the GPU', { tower: 2, 'vision experts': 1, 'language experts': 1 }],
    [
      1e12,
      'all on the GPU',
      { tower: 2, adapter: 1, 'vision experts': 2, 'language experts': 2, lm_head: 1 },
    ],
  ])('a GPU with %d bytes: %s', async (gpuBytes, _, placement) => {
    const wanted = await answer({ device: 'cpu' });
    const actual = await answer({ device: 'gpu', gpuBytes });
    expect(actual.placement).toMatchObject(placement);
    expect(difference(actual.logits, wanted.logits).max).toBeLessThan(limit);
  });
});

describe.skipIf(!gpu)('results equal those of the published code:', () => {
  const golden = readGolden('small');
  const load = (gpuBytes: number) =>
    Model.load(openCheckpoint(goldenFolder('small')), { compute: 'f32', device: 'gpu', gpuBytes });

  test.each([
    ['shared', 28_480_000, 2],
    ['on the GPU', 1e12, 3],
  ])('a text through a decoder %s', async (_, gpuBytes, layersOnGpu) => {
    using model = await load(gpuBytes);
    expect(model.placement['language experts']).toBe(layersOnGpu);
    const ids = integers(golden, 'text_only.input_ids');
    const prompt = promptRows(ids.slice(1), 0, ids[0]);
    using cache = model.newCache(ids.length + 1);
    const wanted = floats(golden, 'text_only.logits');
    const logits = await model.prefill(prompt, cache, { image: null });
    expect(difference(logits, wanted.slice(-logits.length)).max).toBeLessThan(limit);
    const next = await model.step(integers(golden, 'text_only.greedy_ids')[0]!, ids.length, cache);
    const after = floats(golden, 'text_only.greedy_logits').slice(0, next.length);
    expect(difference(next, after).max).toBeLessThan(limit);
  });

  test('an image, its prompt and the answer, all on the GPU', async () => {
    using model = await load(1e12);
    using image = await model.encodeImage(floats(golden, 'image'));
    const types = integers(golden, 'image_chat.token_type_ids');
    const text = integers(golden, 'image_chat.input_ids').filter((_, row) => types[row] === 0);
    const prompt = promptRows(text.slice(1), types.length - text.length, text[0]);
    const answer = integers(golden, 'image_chat.greedy_ids');
    using cache = model.newCache(types.length + answer.length);
    const logits = await model.prefill(prompt, cache, { image });
    const wanted = floats(golden, 'image_chat.logits');
    expect(difference(logits, wanted.slice(-logits.length)).max).toBeLessThan(limit);
    const wantedNext = floats(golden, 'image_chat.greedy_logits');
    let position = prompt.positions.at(-1) ?? 0;
    for (const [i, id] of answer.slice(0, -1).entries()) {
      const next = await model.step(id, ++position, cache);
      const after = wantedNext.slice(i * next.length, (i + 1) * next.length);
      expect(difference(next, after).max).toBeLessThan(limit);
    }
  });
});
