import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/model/cogvlm2.ts';
import { resizePositions } from '../../src/model/positions-resize.ts';
import { randomPixels, tinyConfig, writeTinyCheckpoint } from './tiny-checkpoint.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-image-size-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A class token of -7, then `value(y, x)` for each patch. */
function table(side: number, value: (y: number, x: number) => number): Float32Array {
  const cells = Array.from({ length: side * side }, (_, i) => value(Math.floor(i / side), i % side));
  return Float32Array.from([-7, ...cells]);
}

test('a constant table and the class token do not change', () => {
  const [classToken, ...patches] = resizePositions(
    table(10, () => 3),
    1,
    10,
    4,
  );
  expect(classToken).toBe(-7);
  expect(patches).toHaveLength(16);
  for (const value of patches) expect(value).toBeCloseTo(3, 5);
});

test('a linear table remains linear if the filter does not reach the edge', () => {
  const from = 24;
  const to = 8;
  const resized = resizePositions(
    table(from, (y, x) => 5 * y + x),
    1,
    from,
    to,
  );
  const centre = (i: number) => (i + 0.5) * (from / to) - 0.5;
  for (const y of [2, 3, 4, 5]) {
    for (const x of [2, 3, 4, 5]) {
      expect(resized[1 + y * to + x]).toBeCloseTo(5 * centre(y) + centre(x), 3);
    }
  }
});

/** Computed by hand: the cubic filter of Keys, twice as wide, at the centre between two samples. */
test('the weights are those of the widened bicubic filter', () => {
  const impulse = table(16, (y, x) => (y === 7 && x === 7 ? 1 : 0));
  const resized = resizePositions(impulse, 1, 16, 8);
  const taps = [0.25, 0.75, 1.25, 1.75].map((t) =>
    t < 1 ? (1.5 * t - 2.5) * t * t + 1 : ((-0.5 * t + 2.5) * t - 4) * t + 2,
  );
  const sum = 2 * taps.reduce((a, b) => a + b, 0);
  // The centre of output 3 is half a sample before the middle of sample 7, a quarter of the widened filter's unit.
  const nearest = (taps[0] ?? 0) / sum;
  expect(resized[1 + 3 * 8 + 3]).toBeCloseTo(nearest * nearest, 5);
});

test('a model accepts smaller images, which have fewer image tokens', async () => {
  const checkpoint = openCheckpoint(writeTinyCheckpoint(folder)); // 20 pixels, patches of 4
  using model = await Model.load(checkpoint, { imageSize: 16 });
  const { imageSize, side, imageTokens } = model.config.vision;
  expect([imageSize, side, imageTokens]).toEqual([16, 4, 6]);
  const small = { ...tinyConfig, vision_config: { ...tinyConfig.vision_config, image_size: 16 } };
  const names = new Map<string, Float32Array>();
  using state = await model.encodeImage(randomPixels(small), { tap: (name, data) => names.set(name, data) });
  expect(state.get('imageTokens').shape[1]).toBe(6);
  expect(names.get('vision.output')?.every(Number.isFinite)).toBe(true);
});

test.each([0, -8, 12.5, 12, 20.5, 24, 28])('%d pixels are refused with the limits', async (imageSize) => {
  const checkpoint = openCheckpoint(writeTinyCheckpoint(folder));
  const error = await Model.load(checkpoint, { imageSize }).catch((cause: unknown) => cause);
  expect(error).toMatchObject({
    code: 'invalid_value',
    message: expect.stringContaining('multiple of 8 from 8 to 16'),
  });
});
