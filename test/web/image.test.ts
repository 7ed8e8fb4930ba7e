import { describe, expect, it } from 'vitest';
import { formatOf } from '../../web/image/format.ts';
import { fileLimitBytes, shrinkPlan } from '../../web/image/shrink-plan.ts';
import { size } from '../../web/language/numbers.ts';

const limits = { fileLimitBytes: 1_000_000, pixelLimit: 64_000_000 };
const plan = (width: number, height: number, sizeBytes = 1000, isSentFormat = true) =>
  shrinkPlan({ width, height, sizeBytes, isSentFormat }, limits);

describe('an image', () => {
  it('within the limits is sent without changes', () => {
    expect(plan(4032, 3024)).toBeNull();
    expect(plan(1, 1)).toBeNull();
  });

  it('with too many bytes gets sides of at most 4096 pixels', () => {
    expect(plan(8192, 2048, 2_000_000)).toEqual({ width: 4096, height: 1024 });
    expect(plan(800, 600, 2_000_000)).toEqual({ width: 800, height: 600 });
  });

  it('with too many pixels is shrunk, to at least one pixel per side', () => {
    const small = plan(100_000, 700) ?? { width: 0, height: 0 };
    expect(small.width * small.height).toBeLessThanOrEqual(limits.pixelLimit);
    expect(plan(1_000_000_000, 1)).toEqual({ width: 4096, height: 1 });
  });

  it('of another format is converted at its size', () => {
    expect(plan(640, 480, 1000, false)).toEqual({ width: 640, height: 480 });
  });

  it('fits into a request as base64 with some text', () => {
    for (const body of [1000, 100_000, 32 * 1024 * 1024]) {
      expect((fileLimitBytes(body) * 4) / 3).toBeLessThan(body);
    }
  });

  it('is identified by its first bytes, not by its name', async () => {
    const of = (...bytes: number[]) => formatOf(new Blob([new Uint8Array(bytes)], { type: 'image/gif' }));
    expect(await of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)).toBe('image/png');
    expect(await of(0xff, 0xd8, 0xff, 0xe0)).toBe('image/jpeg');
    expect(await of(...Buffer.from('RIFF\0\0\0\0WEBP'))).toBe('image/webp');
    expect(await of(...Buffer.from('GIF89a'))).toBeNull();
    expect(await of()).toBeNull();
  });
});

describe('a size', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1500, '1.5 kB'],
    [5_242_880, '5.2 MB'],
    [250_000_000, '250 MB'],
  ])('of %i bytes reads %s', (bytes, text) => {
    expect(size(bytes)).toBe(text);
  });
});
