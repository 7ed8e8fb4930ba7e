import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { requestImage } from '../../../src/eval/run/request-image.ts';

/** Noise, which cannot be compressed. */
function noise(width: number, height: number) {
  const pixels = createHash('shake256', { outputLength: width * height * 3 })
    .update('noise')
    .digest();
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

const flat = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#fed' } });

test('an image within the limits is sent without changes', async () => {
  const bytes = await noise(40, 30).png().toBuffer();
  expect(await requestImage(bytes)).toEqual({ format: 'png', bytes, isReencoded: false });
  expect(await requestImage(bytes, { maxBytes: bytes.length, maxSide: 40 })).toMatchObject({ bytes });
  const webp = await noise(40, 30).webp().toBuffer();
  expect(await requestImage(webp, { maxSide: 40 })).toEqual({
    format: 'webp',
    bytes: webp,
    isReencoded: false,
  });
});

test('an image with a long side is shrunk, and a drawing remains PNG', async () => {
  const bytes = await flat(2000, 900).png().toBuffer();
  const sent = await requestImage(bytes, { maxSide: 1000 });
  expect(sent).toMatchObject({ format: 'png', isReencoded: true });
  expect(await sharp(sent.bytes).metadata()).toMatchObject({ width: 1000, height: 450, format: 'png' });
});

test('a PNG with too many bytes becomes a JPEG of the same size, in the best quality that fits', async () => {
  const bytes = await noise(300, 300).png().toBuffer();
  const best = await requestImage(bytes, { maxBytes: bytes.length - 1 });
  expect(best).toMatchObject({ format: 'jpeg', isReencoded: true });
  expect(await sharp(best.bytes).metadata()).toMatchObject({ width: 300, chromaSubsampling: '4:4:4' });
  const worse = await requestImage(bytes, { maxBytes: best.bytes.length - 1 });
  expect(worse.bytes.length).toBeLessThan(best.bytes.length);
  expect(await sharp(worse.bytes).metadata()).toMatchObject({ width: 300 });
});

test('a small limit also shrinks the sides; an impossible limit is an error', async () => {
  const bytes = await noise(400, 200).jpeg({ quality: 95 }).toBuffer();
  const sent = await requestImage(bytes, { maxBytes: 12_000 });
  expect(sent.bytes.length).toBeLessThanOrEqual(12_000);
  const { width, height } = await sharp(sent.bytes).metadata();
  expect(width).toBeLessThan(400);
  expect(width / height).toBeCloseTo(2, 1);
  await expect(requestImage(bytes, { maxBytes: 200 })).rejects.toThrow(
    /^The image of 400 x 200 pixels does not fit into 200 bytes/,
  );
});

test('other formats become lossless PNG, which does not count as re-encoded', async () => {
  const gif = await flat(20, 10).gif().toBuffer();
  const sent = await requestImage(gif, { maxSide: 20 });
  expect(sent).toMatchObject({ format: 'png', isReencoded: false });
  expect(await sharp(sent.bytes).metadata()).toMatchObject({ width: 20, height: 10, format: 'png' });
});

test('the same image gives the same bytes', async () => {
  const bytes = await noise(300, 200).png().toBuffer();
  const limits = { maxBytes: 20_000, maxSide: 250 };
  expect((await requestImage(bytes, limits)).bytes).toEqual((await requestImage(bytes, limits)).bytes);
});

test('bytes that are not an image are refused', async () => {
  await expect(requestImage(Buffer.from('<svg/>'), { maxSide: 100 })).rejects.toMatchObject({
    code: 'invalid_image',
  });
});
