import { readFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage } from '../../src/image/decode.ts';
import { resizeBicubic } from '../../src/image/resize.ts';
import { failure } from './failure.ts';

const read = (name: string) => readFileSync(new URL(`../fixtures/images/${name}`, import.meta.url));

/** Builds a PNG, so that its header can declare any size. */
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
  const { code, message } = await failure(decodeImage(png(40000, 40000, 8, 2, new Uint8Array(1000))));
  expect(code).toBe('image_too_large');
  for (const number of ['40000 x 40000', '1600 megapixels', 'is 64']) expect(message).toContain(number);
});

test('the caller may lower the limit of pixels; an image of exactly that size passes', async () => {
  const tiny = read('tiny.png'); // 37 x 29
  const { code, message } = await failure(decodeImage(tiny, { maxPixels: 1072 }));
  expect(code).toBe('image_too_large');
  expect(message).toContain('37 x 29 pixels');
  expect(await decodeImage(tiny, { maxPixels: 1073 })).toMatchObject({
    width: 37,
    height: 29,
    format: 'png',
  });
});

test.each(['noise.png', 'photo.jpg', 'web.webp'])('a truncated %s is refused', async (name) => {
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

const formats = (name: string) =>
  readFileSync(new URL(`../fixtures/images/formats/${name}`, import.meta.url));

test.each([
  'drawing.gif',
  'drawing.tiff',
  'big.tiff',
  'three.gif',
  'three.webp',
  'three.tiff',
  '24.bmp',
  '32.bmp',
  '8-palette.bmp',
  '4-odd-width.bmp',
  '8-rle.bmp',
  '8-rle-absolute.bmp',
  '4-rle.bmp',
])('%s has the pixels of the same drawing as PNG', async (name) => {
  const { data: expected } = await decodeImage(formats('reference.png'));
  const { data, width, height } = await decodeImage(formats(name));
  expect([width, height]).toEqual([37, 29]);
  expect(Buffer.compare(data, expected)).toBe(0);
});

// AVIF and HEIC are lossy. 16-bit pixels have 5 or 6 bits per colour. CMYK is converted by colour management.
test.each([
  ['drawing.avif', 4],
  ['drawing.heic', 4],
  ['16-565-top-down.bmp', 4],
  ['cmyk.tiff', 25],
])('%s is close to the same drawing as PNG', async (name, most) => {
  const { data: expected } = await decodeImage(formats('reference.png'));
  const { data } = await decodeImage(formats(name));
  const sum = data.reduce((sum, value, i) => sum + Math.abs(value - expected[i]!), 0);
  expect(sum / data.length).toBeLessThan(most);
});

test('one-bit files of all formats are black and white', async () => {
  const { data: expected } = await decodeImage(formats('1.bmp'));
  expect(new Set(expected)).toEqual(new Set([0, 255]));
  expect(Buffer.compare((await decodeImage(formats('fax.tiff'))).data, expected)).toBe(0);
});

test.each([
  ['three.gif', 'The GIF has 3 frames; only the first is used.'],
  ['three.webp', 'The WEBP has 3 frames; only the first is used.'],
  ['three.tiff', 'The TIFF has 3 pages; only the first is used.'],
])('%s gives a warning about omitted frames', async (name, warning) => {
  expect((await decodeImage(formats(name))).warnings).toEqual([warning]);
});

test('samples that are neither 8 nor 16 bits are refused', async () => {
  const { code, message } = await failure(decodeImage(formats('float.tiff')));
  expect(code).toBe('invalid_image');
  expect(message).toContain('float');
});

test.each([
  ['an SVG', '<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9"/>'],
  ['an SVG', '\xef\xbb\xbf<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
  ['text', 'Dear model,\nthis is a letter and no image.'],
  ['text', 'BMW is a make of cars, and this is longer than a header.'],
  ['an HTML page', '<!doctype html><title>404</title>'],
  ['a PDF', '%PDF-1.7\n'],
  ['unknown data', '\x01\x02\x03\x04'],
  ['a JPEG XL image', '\xff\x0a\0\0'],
  ['a JPEG XL image', '\0\0\0\x0cJXL \r\n\x87\n'],
  ['a JPEG 2000 image', '\xff\x4f\xff\x51'],
  ['a Photoshop document (PSD)', '8BPS\0\x01'],
  ['a PPM, PGM or PBM image', 'P6\n2 2\n255\n'],
  ['a video or another ISO media file', '\0\0\0\x18ftypisom\0\0\x02\0isomiso2'],
  ['a ZIP archive', 'PK\x03\x04'],
  ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n'],
])('%s is named and refused', async (name, content) => {
  const bytes = Buffer.from(content, 'latin1');
  const { code, message } = await failure(decodeImage(bytes));
  expect(code).toBe('invalid_image');
  expect(message).toContain(name);
});

test.each([
  ['drawing.jp2', 'a JPEG 2000 image'],
  ['drawing.ppm', 'a PPM'],
  ['drawing.ico', 'an ICO'],
  ['drawing.tga', 'a TGA image'],
])('%s is refused with a remedy', async (name, what) => {
  const { message } = await failure(decodeImage(formats(name)));
  expect(message).toContain(what);
  expect(message).toContain('Convert it to PNG or JPEG first.');
});

test('sharp does not read formats that are not supported here', async () => {
  await decodeImage(read('tiny.png'));
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  await expect(sharp(svg).metadata()).rejects.toThrow('unsupported image format');
});

test('EXIF orientation is applied: a rotated image becomes upright', async () => {
  const upright = { width: 2, height: 3, channels: 3 } as const;
  const data = Buffer.from(Array.from({ length: 18 }, (_, i) => i * 14));
  const onItsSide = await sharp(data, { raw: upright }).rotate(270).png().toBuffer();
  const marked = await sharp(onItsSide).withMetadata({ orientation: 6 }).png().toBuffer();
  const image = await decodeImage(marked);
  expect([image.width, image.height]).toEqual([2, 3]);
  expect([...image.data]).toEqual([...data]);
});

const transparent = async (pixels: number[], channels: 2 | 4) => {
  const raw = { width: pixels.length / channels, height: 1, channels } as const;
  const source = sharp(Buffer.from(pixels), { raw });
  return channels === 4 ? source : source.toColourspace('b-w');
};

test('transparent images are composited on white first, also if the hidden colour is black', async () => {
  const pixels = [0, 0, 0, 0, 200, 100, 50, 128, 10, 20, 30, 255];
  const expected = [255, 255, 255, 227, 177, 152, 10, 20, 30];
  for (const file of [
    await (await transparent(pixels, 4)).png().toBuffer(),
    await (await transparent(pixels, 4)).webp({ lossless: true, exact: true }).toBuffer(),
    await (await transparent(pixels, 4)).tiff({ compression: 'lzw' }).toBuffer(),
  ]) {
    expect([...(await decodeImage(file)).data]).toEqual(expected);
  }
  const grey = await (await transparent([0, 0, 10, 255], 2)).png().toBuffer();
  expect([...(await decodeImage(grey)).data]).toEqual([255, 255, 255, 10, 10, 10]);
  const palette = await (await transparent([0, 0, 0, 0, 200, 0, 0, 255], 4))
    .png({ palette: true })
    .toBuffer();
  expect((await sharp(palette).metadata()).isPalette).toBe(true);
  expect([...(await decodeImage(palette)).data]).toEqual([255, 255, 255, 200, 0, 0]);
  const gif = await (await transparent([0, 0, 0, 0, 200, 0, 0, 255], 4)).gif().toBuffer();
  expect([...(await decodeImage(gif)).data]).toEqual([255, 255, 255, 200, 0, 0]);
});

test('white ink on a transparent background gets a black background, with a warning', async () => {
  const { data, warnings } = await decodeImage(
    await (await transparent([255, 255, 255, 0, 255, 255, 255, 255], 4)).png().toBuffer(),
  );
  expect([...data]).toEqual([0, 0, 0, 255, 255, 255]);
  expect(warnings).toEqual([expect.stringContaining('black is used as its background')]);
});

test('a fully transparent image becomes white, with a warning', async () => {
  const { data, warnings } = await decodeImage(await (await transparent([9, 9, 9, 0], 4)).png().toBuffer());
  expect([...data]).toEqual([255, 255, 255]);
  expect(warnings).toEqual([expect.stringContaining('fully transparent')]);
});

test('16-bit grey that uses 12 or 8 bits is scaled to 8 bits', async () => {
  const rows = (...values: number[]) => Uint8Array.from([0, ...values.flatMap((v) => [v >> 8, v & 255])]);
  const levels = async (...values: number[]) => {
    const { data } = await decodeImage(png(values.length, 1, 16, 0, rows(...values)));
    return [...data].filter((_, i) => i % 3 === 0);
  };
  expect(await levels(0, 0x123, 0xff0)).toEqual([0, 0x12, 0xff]);
  expect(await levels(0, 7, 255)).toEqual([0, 7, 255]);
  expect(await levels(0, 0x123, 0x1000)).toEqual([0, 1, 0x10]);
  const [grey12, grey16] = [
    await decodeImage(formats('grey12.tiff')),
    await decodeImage(formats('grey16.tiff')),
  ];
  expect(Buffer.compare(grey12.data, grey16.data)).toBe(0);
});

test('a JPEG beyond the limit of pixels is shrunk while it is decoded', async () => {
  const photo = read('photo.jpg');
  const whole = await decodeImage(photo);
  const shrunk = await decodeImage(photo, { maxPixels: Math.ceil((whole.width * whole.height) / 3) });
  expect([shrunk.width, shrunk.height]).toEqual([Math.floor(whole.width / 2), Math.floor(whole.height / 2)]);
  const [a, b] = [resizeBicubic(whole, 56, 56).data, resizeBicubic(shrunk, 56, 56).data];
  const mean = a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
  expect(mean).toBeLessThan(1.5);
  const { code } = await failure(
    decodeImage(photo, { maxPixels: Math.floor((whole.width * whole.height) / 5) }),
  );
  expect(code).toBe('image_too_large');
});

test('a progressive JPEG, which needs more memory, may have half as many pixels', async () => {
  const { width, height } = await decodeImage(read('photo.jpg'));
  const progressive = await sharp(read('photo.jpg')).jpeg({ progressive: true }).toBuffer();
  const { code, message } = await failure(
    decodeImage(progressive, { maxPixels: Math.floor((width * height) / 3) }),
  );
  expect(code).toBe('image_too_large');
  expect(message).toContain('a progressive JPEG');
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
