import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import type { Checkpoint } from '../../src/checkpoint/types.ts';
import type { PromptRows } from '../../src/model/chunks.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import { difference } from './tensors.ts';
import { promptRows, randomPixels, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-prefill-'));
const limit = 2e-4;
const prompt = promptRows([5, 9, 33, 2, 59, 7, 21, 8], 6);
const pixels = randomPixels(tinyConfig);
let checkpoint: Checkpoint;
let model: Model;
let image: Awaited<ReturnType<Model['encodeImage']>>;

const load = (from: Checkpoint) => Model.load(from, { compute: 'f32', device: 'cpu', threads: 1 });

beforeAll(async () => {
  checkpoint = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'model')));
  model = await load(checkpoint);
  image = await model.encodeImage(pixels);
});

afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function options() {
  return { image };
}

/** The first `length` rows, with the experts of the whole prompt. */
function beginning(whole: PromptRows, length: number): PromptRows {
  return {
    ids: whole.ids.slice(0, length),
    tokenTypes: whole.tokenTypes.slice(0, length),
    positions: whole.positions.slice(0, length),
    visionRows: whole.visionRows.slice(0, length),
  };
}

function expectNear(actual: Float32Array, wanted: Float32Array, what: string) {
  const { max } = difference(actual, wanted);
  expect(max, what).toBeLessThanOrEqual(limit);
}

test('a prompt in two parts gives the logits of one part, for every split', async () => {
  using whole = model.newCache(32);
  const wanted = await model.prefill(prompt, whole, options());
  const wantedNext = await model.step(4, 12, whole);
  for (let split = 1; split < prompt.ids.length; split++) {
    using cache = model.newCache(32);
    await model.prefill(beginning(prompt, split), cache, options());
    expect(cache.length).toBe(split);
    expectNear(
      await model.prefill(prompt, cache, { ...options(), start: split }),
      wanted,
      `split at ${split}`,
    );
    expectNear(await model.step(4, 12, cache), wantedNext, `the step after a split at ${split}`);
  }
});

test('one row at a time gives the logits of all rows at once', async () => {
  using cache = model.newCache(32);
  const all = await model.prefill(prompt, cache, { ...options(), logits: 'all' });
  const width = tinyConfig.vocab_size;
  const textRows = prompt.ids.length - 7;
  expect(all.length).toBe((textRows + 1) * width); // the last chunk: eoi and the text
  cache.length = 7;
  for (let i = 7; i < prompt.ids.length; i++) {
    const row = await model.step(prompt.ids[i]!, prompt.positions[i]!, cache);
    expectNear(row, all.slice((i - 6) * width, (i - 5) * width), `row ${i}`);
  }
});

test('a cached prefix of another prompt gives the results of a new run', async () => {
  const other = promptRows([5, 9, 33, 40, 41], 6);
  using kept = model.newCache(32);
  await model.prefill(prompt, kept, options());
  await model.step(50, 12, kept);
  const reused = await model.prefill(other, kept, { ...options(), start: 10 });
  using fresh = model.newCache(32);
  expectNear(reused, await model.prefill(other, fresh, options()), 'the reused cache');
  expect(kept.length).toBe(other.ids.length);
  // The cached rows have an effect: another prefix gives other logits.
  using different = model.newCache(32);
  const changed = promptRows([6, 9, 33, 40, 41], 6);
  const unlike = await model.prefill(changed, different, options());
  expect(difference(unlike, reused).max).toBeGreaterThan(1e-2);
});

test('a decode step and a text prompt read no weight of the tower, the adapter or the vision experts', async () => {
  const own = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'damaged')));
  using victim = await load(own);
  expect(Object.values(victim.placement)).not.toContain(1);
  using tokens = await victim.encodeImage(pixels);
  using cache = victim.newCache(32);
  using textCache = victim.newCache(32);
  const text = promptRows([5, 9, 33], 0);
  await victim.prefill(prompt, cache, { image: tokens });
  const wanted = await victim.step(4, 12, cache);
  const wantedText = await victim.prefill(text, textCache, { image: null });

  // The weights are mapped, so the model reads changes of the file at once.
  const vision = [...own.tensors.values()].filter(
    ({ name, shape }) => name.includes('vision') && shape.length > 1 && !name.includes('boi'),
  );
  const file = openSync(path.join(own.path, 'model.safetensors'), 'r+');
  for (const { offsetBytes, sizeBytes } of vision)
    writeSync(file, Buffer.alloc(sizeBytes, 0xff), 0, sizeBytes, offsetBytes);
  closeSync(file);

  cache.length -= 1;
  expect(await victim.step(4, 12, cache)).toEqual(wanted);
  expect(await victim.prefill(text, textCache, { image: null })).toEqual(wantedText);
  const damaged = await victim.prefill(prompt, cache, { image: tokens });
  expect(damaged.every(Number.isNaN)).toBe(true);
});

test('an abort stops between layers of the tower and before a chunk', async () => {
  const controller = new AbortController();
  const layers: number[] = [];
  const onLayer = (done: number) => {
    layers.push(done);
    controller.abort();
  };
  await expect(model.encodeImage(pixels, { signal: controller.signal, onLayer })).rejects.toThrow();
  expect(layers).toEqual([1]);
  using cache = model.newCache(32);
  const signal = AbortSignal.abort();
  await expect(model.prefill(prompt, cache, { ...options(), signal })).rejects.toThrow();
  expect(cache.length).toBe(0);
});
