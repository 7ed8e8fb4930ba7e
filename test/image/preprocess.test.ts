import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { preprocessImage } from '../../src/image/preprocess.ts';
import { readImage } from '../../src/image/source.ts';
import { failure } from './failure.ts';

const png = readFileSync(new URL('../fixtures/images/tiny.png', import.meta.url));

test('an image is read once and hashed once', async () => {
  const file = await readImage(png);
  expect(await readImage(file)).toBe(file);
  expect(file.sha256()).toBe(file.sha256());
  expect(await file.sha256()).toMatch(/^[0-9a-f]{64}$/);
  expect(await preprocessImage(file, 56)).toEqual(await preprocessImage(png, 56));
});

test('the event loop continues while a large image is decoded and resized', async () => {
  const plain = { create: { width: 5000, height: 4000, channels: 3, background: '#a86' } } as const;
  const large = await sharp(plain).png({ compressionLevel: 1 }).toBuffer();
  await preprocessImage(png, 56); // the thread starts
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const { width, height } = await preprocessImage(large, 448);
  clearInterval(timer);
  expect([width, height]).toEqual([5000, 4000]);
  // If the image were decoded in this thread, there would be no ticks.
  expect(ticks).toBeGreaterThan(5);
});

test('an abort stops the work at once, and the next image is read', async () => {
  const plain = { create: { width: 7000, height: 7000, channels: 3, background: '#a86' } } as const;
  const large = await sharp(plain).png({ compressionLevel: 1 }).toBuffer();
  const stop = new AbortController();
  const pending = failure(preprocessImage(large, 448, { signal: stop.signal }));
  setTimeout(() => stop.abort(), 20);
  expect((await pending).code).toBe('aborted');
  expect((await preprocessImage(png, 56)).width).toBe(37);
});

test('parallel images get their own pixels', async () => {
  const colours = ['#f00', '#0f0', '#00f'];
  const files = await Promise.all(
    colours.map((background) =>
      sharp({ create: { width: 8, height: 8, channels: 3, background } })
        .png()
        .toBuffer(),
    ),
  );
  const results = await Promise.all(files.map((file) => preprocessImage(file, 14)));
  results.forEach(({ pixels }, channel) => {
    const sums = [0, 1, 2].map((c) => pixels[c * 14 * 14]!);
    expect(sums.indexOf(Math.max(...sums))).toBe(channel);
  });
});

test('the result has the warnings of decoding, and errors keep their code', async () => {
  const gif = readFileSync(new URL('../fixtures/images/formats/three.gif', import.meta.url));
  expect((await preprocessImage(gif, 56)).warnings).toEqual([
    'The GIF has 3 frames; only the first is used.',
  ]);
  const cut = await failure(preprocessImage(png.subarray(0, 300), 56));
  expect(cut.code).toBe('invalid_image');
  expect((await failure(preprocessImage(png, 56, { limits: { maxPixels: 10 } }))).code).toBe(
    'image_too_large',
  );
});
