import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonScanner } from '../../../src/server/body/json-scanner.ts';
import { LongString } from '../../../src/server/body/long-string.ts';
import { REQUEST_LIMITS } from '../../../src/server/limits.ts';

const long = fc
  .string({ unit: fc.constantFrom(...'AZaz09+/='), minLength: 40, maxLength: 60 })
  .map((text) => text.repeat(100));
const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.string({ unit: 'binary' }),
  long,
  long.map((text) => `data:image/png;base64,${text}`),
  // Long strings that are text: a space, an accent or a quote occurs late.
  fc
    .tuple(long, fc.constantFrom(' ', 'é', '"', '\\', '\n', '\u0001', '猫'))
    .map(([text, end]) => text + end + text),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor'), long), tie('value'), {
      maxKeys: 4,
    }),
  ),
}));
/** Escapes in strings by encoders of other languages. */
const respell = fc.constantFrom<(json: string) => string>(
  (json) => json,
  (json) => json.replaceAll('/', '\\/'),
  (json) => json.replaceAll('+', '\\u002B').replaceAll('/', '\\u002f'),
  (json) => json.replaceAll(/[ -~]{76}/g, (line) => (/^[\w+/=]*$/.test(line) ? `${line}\\r\\n` : line)),
);

function scan(json: string, cuts: readonly number[] = [], maxBytes = 2 ** 22): unknown {
  const scanner = new JsonScanner(maxBytes);
  const bytes = Buffer.from(json);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    scanner.push(bytes.subarray(from, end));
    from = end;
  }
  return scanner.parse();
}

describe('JsonScanner', () => {
  it('gives the value of JSON.parse, for any boundaries of chunks', () => {
    fc.assert(
      fc.property(value, respell, fc.array(fc.nat(), { maxLength: 6 }), (value, respell, cuts) => {
        const json = respell(JSON.stringify(value));
        // Compared as text, so that own properties such as __proto__ and constructor count.
        expect(JSON.stringify(scan(json, cuts)) === JSON.stringify(JSON.parse(json))).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it('refuses the texts that JSON.parse refuses', () => {
    const image = 'A'.repeat(5_000);
    const wrong = [
      '',
      '{',
      `{"a":"${image}`,
      `{"a":"${image}"`,
      `"${image}\\x"`,
      `"${image}\\u00"`,
      `"${image}\u0000"`,
      `"${image}"}`,
    ];
    for (const json of wrong) {
      expect(() => JSON.parse(json)).toThrow();
      expect(() => scan(json), json.slice(-10)).toThrow();
    }
  });

  it('keeps images separate also if they have escapes at the beginning', () => {
    const image = 'QUJDRA//'.repeat(5_000);
    const spelled = [
      `data:image\\/png;base64,${image.replaceAll('/', '\\/')}`,
      `data:image\\u002Fpng;base64,${image.replaceAll('/', '\\u002f')}`,
      `data:image/png;base64,${image.replaceAll(/.{76}/g, '$&\\r\\n')}`,
    ];
    for (const text of spelled) {
      const json = `{"url":"${text}"}`;
      expect(
        JSON.stringify(scan(json, [3, 2_100, 2_101, 2_102, 2_103, 9_000], 4_096)) ===
          JSON.stringify(JSON.parse(json)),
      ).toBe(true);
    }
  });

  it('has no limit for long strings without spaces, and a limit for all other JSON', () => {
    const image = `{"a":"${'A'.repeat(200_000)}"}`;
    expect(scan(image, [], 10_000)).toEqual(JSON.parse(image));
    for (const part of ['a ', 'é', '\\"', '\\u0001']) {
      const text = `["${'A'.repeat(9_000)}${part.repeat(20_000)}"]`;
      expect(() => scan(text, [], 10_000)).toThrow(
        /without its images has more than 10000 bytes.*--max-json-bytes/,
      );
    }
    const key = `{"${'A'.repeat(20_000)}":1}`;
    expect(() => scan(key, [], 10_000)).toThrow(/--max-json-bytes/);
  });

  it('keeps an image of many megabytes as bytes, and refuses other values of that size', () => {
    const image = `data:image/png;base64,${'QUJDRA//'.repeat(200_000)}`;
    for (const field of ['url', 'image_url', 'images']) {
      const json = JSON.stringify({ a: [{ [field]: field === 'images' ? [image] : image }] });
      const restored = JSON.stringify(scan(json, [70_000, 1_000_000]), (_, value) =>
        value instanceof LongString ? Buffer.concat(value.pieces).toString() : value,
      );
      expect(restored === json).toBe(true);
    }
    for (const json of [`{"url":[{"role":"${image}"}]}`, `["${image}"]`, `"${image}"`]) {
      expect(() => scan(json)).toThrow(/1600022 characters; only an image may have more than 1048576/);
    }
  });

  it.each([
    ['[', 'nested'],
    ['{"a":', 'nested'],
    ['0,', 'values'],
    ['{},', 'values'],
    ['[],', 'values'],
  ])('stops at too many %s, before it parses', (part, word) => {
    expect(() => scan(`[${part.repeat(150_000)}`)).toThrow(word);
  });

  it('stops at an object of too many fields, and counts those of each object', () => {
    const object = (count: number) => `{${Array.from({ length: count }, (_, i) => `"f${i}":1`).join(',')}}`;
    expect(() => scan(object(REQUEST_LIMITS.fields + 1))).toThrow('more than 5000 fields');
    const several = `[${Array(3).fill(object(REQUEST_LIMITS.fields)).join(',')},{},[${'1,'.repeat(9_000)}1]]`;
    expect(scan(several)).toEqual(JSON.parse(several));
  });

  it('does not count brackets and commas in strings', () => {
    const text = JSON.stringify(['[{,"'.repeat(REQUEST_LIMITS.values)]);
    expect(scan(text)).toEqual(JSON.parse(text));
  });
});

describe('a seed keeps its digits', () => {
  it.each([
    ['{"seed":9007199254740993}', 9007199254740993n],
    ['{"seed" : -9223372036854775808 ,"a":1}', -(2n ** 63n)],
    ['{"a":"\\"seed\\":1","seed":18446744073709551615}', 2n ** 64n - 1n],
    ['{"seed":1,"seed":9007199254740993}', 9007199254740993n],
    ['{"seed":9007199254740992.0}', 9007199254740992],
    ['{"seed":1e300}', 1e300],
    ['{"seed":7}', 7],
  ])('%s', (json, seed) => {
    expect(scan(json)).toMatchObject({ seed });
  });
});
