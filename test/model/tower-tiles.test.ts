import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { convertToGguf } from '../../src/checkpoint/convert.ts';
import type { Checkpoint } from '../../src/checkpoint/types.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import { referenceVision } from '../../src/model/reference.ts';
import { difference, type Tapped } from './tensors.ts';
import { randomArrays, randomPixels, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

/** More rows than in a tile: 33 x 33 patches and the class token. */
function configOf(width: number) {
  return {
    ...tinyConfig,
    vision_config: {
      ...tinyConfig.vision_config,
      hidden_size: width,
      intermediate_size: 2 * width,
      num_hidden_layers: 1,
      num_heads: 1,
      image_size: 33 * 4,
      num_positions: 33 * 33 + 1,
    },
  };
}

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-tiles-'));
afterAll(() => rmSync(folder, { recursive: true }));
const pixels = randomPixels(configOf(8));

function checkpointOf(width: number): Checkpoint {
  const config = configOf(width);
  const where = path.join(folder, String(width));
  return openCheckpoint(writeTinyCheckpoint(where, { config, arrays: randomArrays(config) }));
}

async function encoded(source: Checkpoint): Promise<Tapped[]> {
  using model = await Model.load(source);
  const taps: Tapped[] = [];
  using _tokens = await model.encodeImage(pixels, { tap: (name, data) => taps.push({ name, data }) });
  return taps;
}

test('rows computed in tiles equal those of the reference', { timeout: 180_000 }, async () => {
  // A narrow model, because the reference is slow.
  const checkpoint = checkpointOf(8);
  const wanted = new Map<string, Float32Array>();
  referenceVision(checkpoint, pixels, (name, data) => void wanted.set(name, data));
  const taps = await encoded(checkpoint);
  expect(taps.map(({ name }) => name).sort()).toEqual([...wanted.keys()].sort());
  for (const { name, data } of taps) expect(difference(data, wanted.get(name)!).max, name).toBeLessThan(2e-4);
});

test('four-bit weights, packed for the next layer, have the expected error of four bits', async () => {
  // Rows of 32 are whole blocks of q4_0.
  const checkpoint = checkpointOf(32);
  const file = path.join(folder, 'int4.gguf');
  await convertToGguf(checkpoint, file, { type: 'int4' });
  const exact = (await encoded(checkpoint)).at(-1)!;
  const rounded = (await encoded(openCheckpoint(file))).at(-1)!;
  const { rms } = difference(rounded.data, exact.data);
  expect(rms).toBeGreaterThan(0);
  expect(rms).toBeLessThan(0.5);
});

test.each([33 * 4, 8 * 4])(
  'frames that pass the tower together have the bits of each one alone: %s pixels',
  async (side) => {
    const { vision_config, ...rest } = configOf(32);
    const positions = (side / 4) ** 2 + 1;
    const config = {
      ...rest,
      vision_config: { ...vision_config, image_size: side, num_positions: positions },
    };
    const file = path.join(folder, `frames-${side}.gguf`);
    const stored = writeTinyCheckpoint(path.join(folder, `frames-${side}`), {
      config,
      arrays: randomArrays(config),
    });
    await convertToGguf(openCheckpoint(stored), file, { type: 'int4' });
    using model = await Model.load(openCheckpoint(file));
    const encode = async (frames: Float32Array) => {
      const taps: Tapped[] = [];
      using _tokens = await model.encodeImage(frames, { tap: (name, data) => taps.push({ name, data }) });
      return taps.filter(({ name }) => name === 'vision.output').map(({ data }) => data);
    };
    const first = randomPixels(config);
    const second = first.map((value) => -value);
    const together = await encode(Float32Array.from([...first, ...second]));
    expect(together).toEqual([...(await encode(first)), ...(await encode(second))]);
    expect(together[0]).not.toEqual(together[1]);
  },
);
