import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import type { Checkpoint } from '../../src/checkpoint/types.ts';
import type { PromptRows } from '../../src/model/chunks.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import {
  referenceExperts,
  referenceLogits,
  referencePositions,
  referenceVision,
} from '../../src/model/reference.ts';
import { matrix } from '../../src/model/reference-layers.ts';
import { positionsOf, visionExpertRows } from '../../src/text/prompt.ts';
import { firstDifference, floats, goldenFolder, integers, readGolden, type Tapped } from './tensors.ts';
import {
  promptRows,
  randomArrays,
  randomPixels,
  tinyConfig,
  writeTinyCheckpoint,
} from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-reference-'));
afterAll(() => rmSync(folder, { recursive: true }));

function collect() {
  const taps: Tapped[] = [];
  return { taps, tap: (name: string, data: Float32Array) => void taps.push({ name, data }) };
}

describe.each(['odd', 'small', 'v1small'])('the reference equals the golden %s:', (name) => {
  const golden = readGolden(name);
  const checkpoint = openCheckpoint(goldenFolder(name));
  const wanted = (taps: readonly Tapped[], prefix = '') =>
    taps.map((tapped) => ({ name: tapped.name, data: floats(golden, prefix + tapped.name) }));
  const names = (prefix: string) =>
    [...golden.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));

  test('the image', () => {
    const { taps, tap } = collect();
    referenceVision(checkpoint, floats(golden, 'image'), tap);
    expect(taps.map((tapped) => tapped.name).sort()).toEqual(
      names('vision.')
        .map((key) => `vision.${key}`)
        .sort(),
    );
    expect(firstDifference(taps, wanted(taps), 2e-4)).toBeUndefined();
  });

  test.each(['image_chat', 'image_long', 'text_only'])('the prompt %s', (prompt) => {
    const ids = integers(golden, `${prompt}.input_ids`);
    const tokenTypes = Uint8Array.from(integers(golden, `${prompt}.token_type_ids`));
    expect(referencePositions(tokenTypes)).toEqual(integers(golden, `${prompt}.position_ids`));
    const output = floats(golden, 'vision.output');
    const width = golden.get('vision.output')?.shape[1] ?? 0;
    const imageTokens = tokenTypes.includes(1) ? matrix(output.length / width, width, output) : null;
    const { taps, tap } = collect();
    referenceLogits(checkpoint, { ids, tokenTypes }, imageTokens, tap);
    const floatsOfPrompt = names(`${prompt}.`).filter((key) => /^(hidden\.|logits)/.test(key));
    expect(taps.map((tapped) => tapped.name).sort()).toEqual(floatsOfPrompt.sort());
    expect(firstDifference(taps, wanted(taps, `${prompt}.`), 2e-4)).toBeUndefined();
  });
});

test('positions and experts equal those of the prompt builder, with and without an image', () => {
  for (const [before, image, after] of [
    [1, 6, 3],
    [4, 3, 1],
    [1, 11, 0],
    [5, 0, 0],
  ] as const) {
    const types = Uint8Array.from([
      ...Array(before).fill(0),
      ...Array(image).fill(1),
      ...Array(after).fill(0),
    ]);
    expect(referencePositions(types)).toEqual([...positionsOf(types)]);
    expect(referenceExperts(types).map(Number)).toEqual([...visionExpertRows(types)]);
  }
});

describe('the engine equals the reference with random weights:', () => {
  const imageTokens = 6; // 5x5 patches make 2x2 rows, and boi and eoi

  async function compare(checkpoint: Checkpoint, pixels: Float32Array, prompt: PromptRows) {
    const [fast, slow] = [collect(), collect()];
    const tokens = referenceVision(checkpoint, pixels, slow.tap);
    referenceLogits(checkpoint, prompt, tokens, slow.tap);
    using model = await Model.load(checkpoint, { compute: 'f32', device: 'cpu', threads: 1 });
    using state = await model.encodeImage(pixels, { tap: fast.tap });
    using cache = model.newCache(prompt.ids.length);
    const chunked = new Map<string, Float32Array[]>();
    await model.prefill(prompt, cache, {
      image: state,
      logits: 'all',
      tap: (name, data) => void chunked.set(name, [...(chunked.get(name) ?? []), data]),
    });
    for (const [name, parts] of chunked)
      fast.tap(name, Float32Array.from(parts.flatMap((part) => [...part])));
    return { fast: fast.taps, slow: slow.taps };
  }

  test('every tap is equal, and a single wrong weight is found in its layer', async () => {
    const arrays = randomArrays(tinyConfig);
    const checkpoint = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'right'), { arrays }));
    const prompt = promptRows([5, 9, 33, 2, 59, 7], imageTokens);
    const pixels = randomPixels(tinyConfig);
    const { fast, slow } = await compare(checkpoint, pixels, prompt);
    expect(slow.length).toBe(9);
    expect(firstDifference(fast, slow, 2e-4)).toBeUndefined();

    const name = 'model.layers.1.mlp.vision_mlp.down_proj.weight';
    const wrong = arrays.map((array) =>
      array.name === name && array.data instanceof Float32Array
        ? { ...array, data: array.data.map((value) => value * 1.01) }
        : array,
    );
    const other = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'wrong'), { arrays: wrong }));
    const changed = await compare(other, pixels, prompt);
    expect(firstDifference(changed.fast, slow, 2e-4)).toMatch(/^hidden\.2 differs by/);
  });

  test('text without an image', async () => {
    const checkpoint = openCheckpoint(writeTinyCheckpoint(path.join(folder, 'text')));
    const { fast, slow } = await compare(
      checkpoint,
      randomPixels(tinyConfig, 3),
      promptRows([4, 8, 15, 16, 23, 42], 0),
    );
    expect(firstDifference(fast, slow, 2e-4)).toBeUndefined();
  });
});
