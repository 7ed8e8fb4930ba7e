import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { preprocessImage } from '../../src/image/preprocess.ts';
import { readImageSource, readStream } from '../../src/image/source.ts';
import { failure } from './failure.ts';

const png = readFileSync(new URL('../fixtures/images/tiny.png', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cogvlm2-image-'));
afterAll(() => rmSync(folder, { recursive: true }));
const dataUrl = `data:image/png;base64,${png.toString('base64')}`;

test('a path, bytes and a data URL of an image give the same pixels and the same key', async () => {
  const path = join(folder, 'an image without an ending');
  writeFileSync(path, png);
  const [fromPath, fromBytes, fromUrl] = await Promise.all(
    [path, new Uint8Array(png), dataUrl].map((source) => preprocessImage(source, 56)),
  );
  expect(fromBytes).toEqual(fromPath);
  expect(fromUrl).toEqual(fromPath);
});

test('a missing file and a folder are refused', async () => {
  const missing = await failure(readImageSource(join(folder, 'none.png')));
  expect(missing.code).toBe('file_not_found');
  expect(missing.message).toContain('none.png');
  const directory = await failure(readImageSource(folder));
  expect(directory.code).toBe('file_not_found');
  expect(directory.message).toContain('is a folder, not a regular file');
});

test('an http address is refused', async () => {
  const refused = await failure(readImageSource('https://example.org/cat.png'));
  expect(refused.code).toBe('invalid_value');
  expect(refused.message).toContain('https://example.org/cat.png');
});

test('too many bytes from any source are refused with both numbers', async () => {
  const path = join(folder, 'big.png');
  writeFileSync(path, png);
  async function* stream() {
    yield png.subarray(0, 400);
    yield png.subarray(400);
    throw new Error('read on after the limit');
  }
  const maxBytes = 500;
  for (const attempt of [
    () => readImageSource(path, { maxBytes }),
    () => readImageSource(png, { maxBytes }),
    () => readImageSource(dataUrl, { maxBytes }),
    () => readStream(stream(), { maxBytes }),
  ]) {
    const { code, message } = await failure(attempt());
    expect(code).toBe('image_too_large');
    expect(message).toContain(String(png.length));
    expect(message).toContain('500');
  }
});

test('an empty input is refused', async () => {
  const empty = 'data:image/png;base64,';
  for (const source of [new Uint8Array(0), empty]) {
    const { code, message } = await failure(readImageSource(source));
    expect(code).toBe('invalid_image');
    expect(message).toContain('0 bytes');
  }
});

test('an aborted caller gets no image', async () => {
  const { code } = await failure(preprocessImage(png, 56, { signal: AbortSignal.abort() }));
  expect(code).toBe('aborted');
});

test.each([0, -1, 1.5, Number.NaN, 20000])('imageSize %s is refused with the number', async (size) => {
  const { code, message } = await failure(preprocessImage(png, size));
  expect(code).toBe('invalid_value');
  expect(message).toContain(String(size));
});

/** Runs `change` in every turn of the event loop while a file is read. @returns the error */
async function changedWhileRead(
  name: string,
  change: (path: string, turn: number) => void,
): Promise<unknown> {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(32 * 2 ** 20));
  utimesSync(path, 1_000, 1_000);
  let turn = 0;
  let isReading = true;
  const next = () => {
    if (!isReading) return;
    change(path, ++turn);
    setImmediate(next);
  };
  const reading = readImageSource(path, { maxBytes: 2 ** 28 });
  next();
  try {
    return await failure(reading);
  } finally {
    isReading = false;
  }
}

test('a file that grows, shrinks or is overwritten while it is read is refused', async () => {
  const growing = await changedWhileRead('grows', (path) => appendFileSync(path, 'more'));
  const shrinking = await changedWhileRead('shrinks', (path, turn) =>
    truncateSync(path, Math.max(0, 2 ** 20 - turn)),
  );
  const overwritten = await changedWhileRead('overwritten', (path) => {
    const file = openSync(path, 'r+');
    writeSync(file, 'other');
    closeSync(file);
  });
  for (const error of [growing, shrinking, overwritten]) {
    expect(error).toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(/ was changed while it was read: it had \d+ bytes, and now has \d+\./),
    });
  }
});
