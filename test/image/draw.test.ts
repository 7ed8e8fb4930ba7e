import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, it, test } from 'vitest';
import { drawBoxes, markedImage } from '../../src/image/draw.ts';
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

test('labels with XML characters, and boxes beyond the image, are drawn', async () => {
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

it('marks regions with a border and a tint, with one colour per group, and does not change other pixels', async () => {
  const white = await sharp({ create: { width: 100, height: 50, channels: 3, background: '#fff' } })
    .png()
    .toBuffer();
  const half = { x: 0, y: 0, width: 0.5, height: 1 };
  // The second one is cut at the edge.
  const marked = await markedImage(white, [[half], [{ x: 0.9, y: 0.9, width: 0.5, height: 0.5 }]]);
  const { data, info } = await sharp(marked).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([100, 50, 3]);
  const at = (x: number, y: number) => [...data.subarray((y * 100 + x) * 3, (y * 100 + x) * 3 + 3)];
  expect(at(0, 0)).toEqual([194, 65, 12]);
  expect(at(49, 20)).toEqual([194, 65, 12]);
  expect(at(20, 20)).toEqual([237, 198, 182]);
  expect(at(60, 20)).toEqual([255, 255, 255]);
  expect(at(90, 45)).toEqual([15, 107, 99]);
});
