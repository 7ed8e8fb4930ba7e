import { readFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage } from '../../src/image/decode.ts';
import { failure } from './failure.ts';

const read = (name: string) => readFileSync(new URL(`../fixtures/images/${name}`, import.meta.url));

/** A PNG by hand, so that its header can declare anything. */
function png(width: number, height: number, bits: number, colour: number, rows: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, colour], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type), body]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(body.length, 0);
  frame.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
}

test('a header that declares 40000 x 40000 is refused before decoding, with size and limit', async () => {
  const started = performance.now();
  const { code, message } = await failure(decodeImage(png(40000, 40000, 8, 2, new Uint8Array(1000))));
  expect(code).toBe('image_too_large');
  for (const number of ['40000 x 40000', '1600000000', '64000000']) expect(message).toContain(number);
  expect(performance.now() - started).toBeLessThan(2000);
});

test('the limit of pixels is the caller`s, and a picture of just that size passes', async () => {
  const tiny = read('tiny.png'); // 37 x 29
  const { code, message } = await failure(decodeImage(tiny, { maxPixels: 1072 }));
  expect(code).toBe('image_too_large');
  expect(message).toContain('37 x 29 = 1073 pixels; the limit is 1072');
  expect(await decodeImage(tiny, { maxPixels: 1073 })).toMatchObject({
    width: 37,
    height: 29,
    format: 'png',
  });
});

test.each(['noise.png', 'photo.jpg', 'web.webp'])('%s cut short is refused', async (name) => {
  const whole = read(name);
  for (const part of [0.5, 0.9]) {
    const cut = whole.subarray(0, Math.floor(whole.length * part));
    const { code, message } = await failure(decodeImage(cut));
    expect(code).toBe('invalid_image');
    expect(message).toContain(`${cut.length} bytes`);
    expect(message).not.toContain('\n');
    expect(message).not.toMatch(/[:\s.]\.$/);
  }
});

test.each([
  ['an SVG', '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
  ['an SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
  ['a GIF', 'GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;'],
  ['text', 'Dear model,\nthis is a letter and no picture.'],
  ['an HTML page', '<!doctype html><title>404</title>'],
  ['a PDF', '%PDF-1.7\n'],
  ['unknown data', '\x01\x02\x03\x04'],
])('%s is named and refused', async (name, content) => {
  const bytes = Buffer.from(content, 'latin1');
  const { code, message } = await failure(decodeImage(bytes));
  expect(code).toBe('invalid_image');
  expect(message).toContain(`The ${bytes.length} bytes are ${name}`);
});

test('sharp itself no longer reads what is not a PNG, JPEG or WebP', async () => {
  await decodeImage(read('tiny.png'));
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  await expect(sharp(svg).metadata()).rejects.toThrow('unsupported image format');
});

test('EXIF orientation is applied: a picture stored on its side stands up', async () => {
  const upright = { width: 2, height: 3, channels: 3 } as const;
  const data = Buffer.from(Array.from({ length: 18 }, (_, i) => i * 14));
  const onItsSide = await sharp(data, { raw: upright }).rotate(270).png().toBuffer();
  const marked = await sharp(onItsSide).withMetadata({ orientation: 6 }).png().toBuffer();
  const image = await decodeImage(marked);
  expect([image.width, image.height]).toEqual([2, 3]);
  expect([...image.data]).toEqual([...data]);
});

test('alpha is dropped, not blended, even where it is zero', async () => {
  const rgba = Buffer.from([10, 20, 30, 0, 200, 100, 50, 128]);
  const raw = { width: 2, height: 1, channels: 4 } as const;
  for (const bytes of [
    await sharp(rgba, { raw }).png().toBuffer(),
    await sharp(rgba, { raw }).webp({ lossless: true, exact: true }).toBuffer(),
  ]) {
    expect([...(await decodeImage(bytes)).data]).toEqual([10, 20, 30, 200, 100, 50]);
  }
});

test('16 bits keep their high byte, one bit becomes black and white, grey becomes three equal channels', async () => {
  const rgb16 = png(1, 1, 16, 2, Uint8Array.from([0, 0x12, 0xff, 0x80, 0x01, 0xfe, 0xff]));
  expect([...(await decodeImage(rgb16)).data]).toEqual([0x12, 0x80, 0xfe]);
  const grey16 = png(2, 1, 16, 0, Uint8Array.from([0, 0x12, 0xff, 0xfe, 0x00]));
  expect([...(await decodeImage(grey16)).data]).toEqual([0x12, 0x12, 0x12, 0xfe, 0xfe, 0xfe]);
  const bits = png(2, 1, 1, 0, Uint8Array.from([0, 0b0100_0000]));
  expect([...(await decodeImage(bits)).data]).toEqual([0, 0, 0, 255, 255, 255]);
});

test('an embedded colour profile does not move the values, as in Pillow', async () => {
  const raw = { width: 1, height: 1, channels: 3 } as const;
  const wide = await sharp(Buffer.from([200, 30, 60]), { raw })
    .withIccProfile('p3')
    .png()
    .toBuffer();
  expect((await sharp(wide).metadata()).hasProfile).toBe(true);
  const stored = [...(await sharp(wide, { ignoreIcc: true }).raw().toBuffer())];
  expect(stored).not.toEqual([200, 30, 60]);
  expect([...(await decodeImage(wide)).data]).toEqual(stored);
});
