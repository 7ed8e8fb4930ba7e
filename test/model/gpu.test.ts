/**
 * The same numbers whichever device has which layer. Needs a GPU that ggml knows; a software one will do: Debian's
 * mesa-vulkan-drivers, the package @node-llama-cpp/linux-x64-vulkan, GGML_VK_VISIBLE_DEVICES=0 and COGVLM2_GGML_DIR.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { listDevices } from '../../src/ggml/devices.ts';
import { Model, type ModelOptions } from '../../src/model/cogvlm2.ts';
import { difference } from './tensors.ts';
import { promptRows, randomPixels, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-gpu-'));
afterAll(() => rmSync(folder, { recursive: true }));
const gpu = listDevices().find(({ kind }) => kind === 'gpu' || kind === 'igpu');

async function answer(options: ModelOptions) {
  const checkpoint = openCheckpoint(writeTinyCheckpoint(folder));
  using model = await Model.load(checkpoint, options);
  using image = await model.encodeImage(randomPixels(tinyConfig));
  using cache = model.newCache(32);
  const prompt = promptRows([5, 9, 33], model.config.vision.imageTokens);
  const first = await model.prefill(prompt, cache, { image });
  const second = await model.step(4, (prompt.positions.at(-1) ?? 0) + 1, cache);
  return { placement: model.placement, logits: Float32Array.from([...first, ...second]) };
}

test.skipIf(!gpu)('a model on a GPU, whole or in part, computes what the CPU does', async () => {
  const wanted = await answer({ device: 'cpu' });
  const whole = await answer({ device: 'gpu' });
  expect(whole.placement).toMatchObject({ tower: 2, adapter: 1, 'language experts': 2, 'vision experts': 2 });
  expect(difference(whole.logits, wanted.logits).max).toBeLessThan(0.02);
  const seen = new Set<string>();
  // Steps of a few layers' size, up to where all of it fits.
  for (let bytes = 2_400_000; bytes < 4_000_000; bytes += 100_000) {
    const part = await answer({ device: 'gpu', gpuBytes: bytes });
    const placement = JSON.stringify(part.placement);
    if (seen.has(placement)) continue;
    seen.add(placement);
    expect(difference(part.logits, wanted.logits).max, placement).toBeLessThan(0.02);
  }
  expect(seen.size).toBeGreaterThan(2);
});
