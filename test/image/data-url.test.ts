import { expect, test } from 'vitest';
import { readDataUrl, readDataUrlInSteps } from '../../src/image/data-url.ts';
import { readImageSource } from '../../src/image/source.ts';
import { failure } from './failure.ts';

test('the size of a data URL is exact, with and without padding', () => {
  for (const length of [1, 2, 3, 4, 5, 6]) {
    const url = `data:image/webp;base64,${Buffer.alloc(length, 7).toString('base64')}`;
    expect(readDataUrl(url, length)).toEqual(Buffer.alloc(length, 7));
    expect(() => readDataUrl(url, length - 1)).toThrow(`${length} bytes`);
  }
});

/** RFC 2397 has parameters, and browsers accept white space and missing padding. The bytes decide the format. */
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

test('decoding a long data URL in steps gives the same bytes as decoding at once', async () => {
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
    const long = {
      length: url.length,
      pieces: [2_048, 100_001, url.length].map((end, i, ends) =>
        Buffer.from(url.slice(ends[i - 1] ?? 0, end)),
      ),
    };
    expect(Buffer.from(await readDataUrlInSteps(long, 3_000_000)).equals(bytes)).toBe(true);
  }
  for (const text of [
    `${base64}${' '.repeat(1_000_000)}AAAA`,
    `${base64.slice(0, 900_000)}*${base64}`,
    `${base64.slice(0, 1_999_997)}`,
    `${base64}===`,
    `${base64.slice(0, 900_000)}%4`,
    `${base64.slice(0, 900_000)}%4é`,
  ]) {
    await expect(readDataUrlInSteps(`data:image/png;base64,${text}`, 9_000_000)).rejects.toThrow(
      /not base64/,
    );
  }
  await expect(readDataUrlInSteps(`data:image/png;base64,${base64}`, 2_000_002)).rejects.toThrow(
    /limit is 2000002/,
  );
});
