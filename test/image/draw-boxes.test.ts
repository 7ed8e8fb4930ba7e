import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { drawBoxes } from '../../src/image/draw-boxes.ts';
import { imageFile } from '../../src/image/source.ts';
import { rejected } from '../checkpoint/caught.ts';

const white = async (width: number, height: number) =>
  imageFile(
    await sharp({ create: { width, height, channels: 3, background: 'white' } })
      .png()
      .toBuffer(),
    'a test',
  );

test.each(['.png', '.jpg', '.webp'])('outlines lie on the edges of the boxes: %s', async (ending) => {
  const image = await white(200, 100);
  const drawn = await drawBoxes(image, [{ label: '', box: [0.25, 0.2, 0.75, 0.8] }], ending);
  const { data, info } = await sharp(drawn).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([200, 100]);
  const isColoured = (x: number, y: number) => {
    const [red = 0, green = 0, blue = 0] = data.subarray(
      3 * (y * info.width + x),
      3 * (y * info.width + x) + 3,
    );
    return Math.max(red, green, blue) - Math.min(red, green, blue) > 60;
  };
  expect([isColoured(50, 50), isColoured(149, 50), isColoured(100, 20), isColoured(100, 79)]).toEqual(
    Array(4).fill(true),
  );
  expect([isColoured(100, 50), isColoured(10, 10)]).toEqual([false, false]);
});

test('labels with signs of XML, and boxes beyond the image, are drawn', async () => {
  const image = imageFile(readFileSync('test/fixtures/images/photo.jpg'), 'a test');
  const boxes = [
    { label: '<a & b> \u0001 "猫"', box: [-0.5, 0.9, 2, 3] as const },
    { label: 'dog', box: [0.5, 0.5, 0.5, 0.5] as const },
  ];
  const drawn = await drawBoxes(image, boxes, '.png');
  expect((await sharp(drawn).metadata()).format).toBe('png');
});

test('another ending is refused', async () => {
  const error = await rejected(drawBoxes(await white(4, 4), [], '.gif'));
  expect(error.message).toContain('.png, .jpg');
});
