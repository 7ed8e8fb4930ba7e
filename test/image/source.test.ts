import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { preprocessImage } from '../../src/image/preprocess.ts';
import { readDataUrl, readDataUrlInSteps, readImageSource, readStream } from '../../src/image/source.ts';
import { failure } from './failure.ts';

const png = readFileSync(new URL('../fixtures/images/tiny.png', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cogvlm2-image-'));
afterAll(() => rmSync(folder, { recursive: true }));
const dataUrl = `data:image/png;base64,${png.toString('base64')}`;

test('a path, bytes and a data URL of one picture give the same pixels and the same key', async () => {
  const path = join(folder, 'a picture without an ending');
  writeFileSync(path, png);
  const [fromPath, fromBytes, fromUrl] = await Promise.all(
    [path, new Uint8Array(png), dataUrl].map((source) => preprocessImage(source, 56)),
  );
  expect(fromBytes).toEqual(fromPath);
  expect(fromUrl).toEqual(fromPath);
});

test('a missing file and a folder', async () => {
  const missing = await failure(readImageSource(join(folder, 'none.png')));
  expect(missing.code).toBe('file_not_found');
  expect(missing.message).toContain('none.png');
  const directory = await failure(readImageSource(folder));
  expect(directory.code).toBe('file_not_found');
  expect(directory.message).toContain('is a folder, not a regular file');
});

test('nothing is fetched', async () => {
  const refused = await failure(readImageSource('https://example.org/cat.png'));
  expect(refused.code).toBe('invalid_value');
  expect(refused.message).toContain('https://example.org/cat.png');
});

test('bytes over the limit are refused with both numbers, whatever they come from', async () => {
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

test('the size of a data URL is counted exactly, padding and all', () => {
  for (const length of [1, 2, 3, 4, 5, 6]) {
    const url = `data:image/webp;base64,${Buffer.alloc(length, 7).toString('base64')}`;
    expect(readDataUrl(url, length)).toEqual(Buffer.alloc(length, 7));
    expect(() => readDataUrl(url, length - 1)).toThrow(`${length} bytes`);
  }
});

/** RFC 2397 has parameters; browsers forgive white space and missing padding. The bytes say what the image is. */
test.each([
  ['parameters', 'data:image/png;charset=utf-8;name=a.png;base64,AAECAw=='],
  ['no type', 'data:;base64,AAECAw=='],
  ['another type', 'data:application/octet-stream;base64,AAECAw=='],
  ['capital letters', 'DATA:image/PNG;BASE64,AAECAw=='],
  ['lines', 'data:image/png;base64,AAEC\r\nAw==\n'],
  ['spaces', 'data:image/png; base64, AA ECAw =='],
  ['no padding', 'data:image/png;base64,AAECAw'],
  ['percent-encoded padding', 'data:image/png;base64,AAECAw%3D%3d'],
])('a data URL with %s', async (_, url) => {
  expect([...(await readImageSource(url))]).toEqual([0, 1, 2, 3]);
});

test('a data URL in the alphabet for URLs', () => {
  expect([...readDataUrl('data:image/png;base64,-_-_')]).toEqual([
    ...readDataUrl('data:image/png;base64,+/+/'),
  ]);
});

test.each([
  ['no base64', 'data:image/png,abcd', 'data:image/png,abcd'],
  ['base64 in its name only', 'data:image/base64,abcd', 'data:image/base64,abcd'],
  ['cut short', 'data:image/png;base64,AAAAA', '5 characters'],
  ['padding inside', 'data:image/png;base64,A=AA', '4 characters'],
  ['other characters', 'data:image/png;base64,AA@@', '4 characters'],
])('a malformed data URL: %s', async (_, url, inMessage) => {
  const { code, message } = await failure(readImageSource(url));
  expect(code).toBe('invalid_value');
  expect(message).toContain(inMessage);
});

test('no bytes at all', async () => {
  const empty = 'data:image/png;base64,';
  for (const source of [new Uint8Array(0), empty]) {
    const { code, message } = await failure(readImageSource(source));
    expect(code).toBe('invalid_image');
    expect(message).toContain('0 bytes');
  }
});

test('a caller who has stopped gets no picture', async () => {
  const { code } = await failure(preprocessImage(png, 56, { signal: AbortSignal.abort() }));
  expect(code).toBe('aborted');
});

test.each([0, -1, 1.5, Number.NaN, 20000])('imageSize %s is refused with the number', async (size) => {
  const { code, message } = await failure(preprocessImage(png, size));
  expect(code).toBe('invalid_value');
  expect(message).toContain(String(size));
});

test('decodes a long data URL in steps as it does at once', async () => {
  const bytes = Buffer.alloc(2_000_003, 'some bytes of an image');
  const base64 = bytes.toString('base64');
  const spelled = [
    base64,
    base64.replaceAll(/.{76}/g, '$&\r\n'),
    base64.replaceAll('Y', '%59').replaceAll('=', '%3D'),
    `${base64}${' '.repeat(1_000_000)}`,
  ];
  for (const text of spelled) {
    const url = `data:image/png;base64,${text}`;
    expect(Buffer.from(await readDataUrlInSteps(url, 3_000_000)).equals(bytes)).toBe(true);
    expect(Buffer.from(readDataUrl(url)).equals(bytes)).toBe(true);
  }
  for (const text of [
    `${base64}${' '.repeat(1_000_000)}AAAA`,
    `${base64.slice(0, 900_000)}*${base64}`,
    `${base64.slice(0, 1_999_997)}`,
  ]) {
    await expect(readDataUrlInSteps(`data:image/png;base64,${text}`, 9_000_000)).rejects.toThrow(
      /not base64/,
    );
  }
  await expect(readDataUrlInSteps(`data:image/png;base64,${base64}`, 2_000_002)).rejects.toThrow(
    /limit is 2000002/,
  );
});
