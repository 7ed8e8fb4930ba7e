import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeImage } from '../../src/image/decode.ts';
import { preprocessImage } from '../../src/image/preprocess.ts';
import { resizeBicubic } from '../../src/image/resize.ts';

const folder = new URL('../fixtures/images/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder));
const { cases, mean, std } = JSON.parse(read('index.json').toString()) as {
  cases: { input: string; size: number; expected: string }[];
  mean: number[];
  std: number[];
};

test.each(cases)(
  '$input at $size equals the result of Pillow and torchvision',
  async ({ input, size, expected }) => {
    const image = await decodeImage(read(input));
    const resized = resizeBicubic(image, size, size);
    const wanted = await decodeImage(read(expected));
    expect([resized.width, resized.height]).toEqual([wanted.width, wanted.height]);
    let worst = 0;
    let differing = 0;
    for (let i = 0; i < wanted.data.length; i++) {
      const distance = Math.abs(wanted.data[i]! - resized.data[i]!);
      if (distance > 0) differing++;
      worst = Math.max(worst, distance);
    }
    // JPEG and WebP decoders may round chroma differently. PNG is exact.
    if (input === 'alpha.png') expect(worst).toBeLessThanOrEqual(1);
    else if (input.endsWith('.png')) expect({ differing }).toEqual({ differing: 0 });
    else expect(worst).toBeLessThanOrEqual(2);
  },
);

test('normalized pixels are channels first, (level / 255 - mean) / std', async () => {
  const { data } = await decodeImage(read('wide.png.112.expected.png'));
  const { pixels, ...facts } = await preprocessImage(new URL('wide.png', folder).pathname, 112);
  expect(pixels.length).toBe(3 * 112 * 112);
  let worst = 0;
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < 112 * 112; i++) {
      const wanted = (data[i * 3 + c]! / 255 - mean[c]!) / std[c]!;
      worst = Math.max(worst, Math.abs(wanted - pixels[c * 112 * 112 + i]!));
    }
  }
  expect(worst).toBeLessThan(1e-6);
  expect(facts).toEqual({ width: 1600, height: 300, warnings: [] });
});

test('resizing a very tall image needs little memory', () => {
  const height = 400_000; // the whole result of the horizontal pass would have 400,000 x 224 x 3 = 269 MB
  const data = new Uint8Array(3 * height).fill(77);
  const beforeKb = process.resourceUsage().maxRSS;
  const { data: out } = resizeBicubic({ width: 1, height, data }, 224, 224);
  expect(process.resourceUsage().maxRSS - beforeKb).toBeLessThan(100_000);
  expect(out.length).toBe(224 * 224 * 3);
  expect(out.every((value) => value === 77)).toBe(true);
});
