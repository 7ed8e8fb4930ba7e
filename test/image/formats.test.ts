import { expect, test } from 'vitest';
import {
  checkDimensions,
  DEFAULT_IMAGE_LIMITS,
  type ImageHeader,
  shrinkOnLoad,
} from '../../src/image/formats.ts';

const header = (width: number, height: number, more: Partial<ImageHeader> = {}): ImageHeader => ({
  ...{ format: 'png', isProgressive: false, width, height },
  ...more,
});
const check = (given: ImageHeader) => () => checkDimensions(given, DEFAULT_IMAGE_LIMITS);

test.each([
  ['64,000,000 pixels', header(8000, 8000)],
  ['200 to 1', header(100, 20_000)],
  ['200 to 1, lying', header(20_000, 100)],
  ['one pixel', header(1, 1)],
  ['a photo of 108 megapixels', header(9000, 12_000, { format: 'jpeg' })],
  ['a photo of 200 megapixels', header(16_320, 12_240, { format: 'jpeg' })],
])('%s passes', (_, given) => {
  expect(check(given)).not.toThrow();
});

test.each([
  ['1 x 8,000,000', header(1, 8_000_000), 'for a side is 65535'],
  ['64,000,000 x 1', header(64_000_000, 1), 'for a side is 65535'],
  ['201 to 1', header(201, 1), 'a ratio of 201 to 1; the limit is 200 to 1'],
  ['a PNG of 108 megapixels', header(9000, 12_000), '108 megapixels; the limit for this format is 64'],
  ['a JPEG of 300 megapixels', header(20_000, 15_000, { format: 'jpeg' }), 'the limit for a JPEG is 256'],
  [
    'a progressive JPEG of 200 megapixels',
    header(16_320, 12_240, { format: 'jpeg', isProgressive: true }),
    'the limit for a progressive JPEG is 128',
  ],
])('%s is refused with the limit', (_, given, sentence) => {
  expect(check(given)).toThrow(sentence);
});

test('a JPEG is shrunk by the least power of two that leaves maxPixels', () => {
  const jpeg = (width: number, height: number) =>
    shrinkOnLoad(header(width, height, { format: 'jpeg' }), DEFAULT_IMAGE_LIMITS);
  expect(jpeg(8000, 8000)).toBe(1);
  expect(jpeg(8001, 8000)).toBe(2);
  expect(jpeg(16_001, 16_001)).toBe(4);
  expect(shrinkOnLoad(header(9000, 12_000), DEFAULT_IMAGE_LIMITS)).toBe(1);
});
