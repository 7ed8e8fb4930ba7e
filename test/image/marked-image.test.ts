import sharp from 'sharp';
import { expect, it } from 'vitest';
import { markedImage } from '../../src/image/marked-image.ts';

it('marks places with a border and a tint, each group in a colour, and leaves the rest as it is', async () => {
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
