/** The Python rules compared with Python 3.11.7. python-rules.json has its result for each input. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseJsonAsPython, parseListLiteral, parseLiteral } from '../../../src/eval/python/parse.ts';
import {
  floatRepr,
  PythonFloat,
  parseFloatAsPython,
  repr,
  roundToHundredths,
  str,
  strip,
  words,
} from '../../../src/eval/python/values.ts';

interface Recorded {
  floats: [string, string | null][];
  rounds: [number, number, string][];
  strips: [string, string, string[]][];
  literals: [string, string[] | null][];
  reprs: [string, string][];
}
const recorded = JSON.parse(
  readFileSync(new URL('../../fixtures/eval/python-rules.json', import.meta.url), 'utf8'),
) as Recorded;

test('float() accepts and refuses the same texts, with the same numbers', () => {
  const ours = recorded.floats.map(([text]) => {
    const value = parseFloatAsPython(text);
    return [text, value === undefined ? null : floatRepr(value)];
  });
  expect(ours).toEqual(recorded.floats);
});

test('round(x, 2) and repr(x)', () => {
  const ours = recorded.rounds.map(([value]) => [value, roundToHundredths(value), floatRepr(value)]);
  expect(ours).toEqual(recorded.rounds);
});

test('strip() and split() use the same white space', () => {
  expect(recorded.strips.map(([text]) => [text, strip(text), words(text)])).toEqual(recorded.strips);
});

test('a long run of white space inside a text takes linear time', () => {
  const text = `a${' '.repeat(1_000_000)}b`;
  expect(strip(`\u3000${text}\n`) === text).toBe(true);
});

test('strip with characters removes a set of characters from both ends', () => {
  expect(strip('..a.b..', '.')).toBe('a.b');
  expect(strip('👍a👍', '👍')).toBe('a');
  expect(strip('...', '.')).toBe('');
});

test('list literals are parsed, and other texts stay text', () => {
  const ours = recorded.literals.map(([text]) => [text, parseListLiteral(text)?.map(str) ?? null]);
  expect(ours).toEqual(recorded.literals);
});

test('a literal that is not a list', () => {
  expect(parseLiteral('True')).toBe(true);
  expect(parseLiteral('None')).toBeNull();
  expect(parseLiteral("__import__('os')")).toBeUndefined();
  expect(parseLiteral('['.repeat(5000))).toBeUndefined();
});

test('repr of texts', () => {
  expect(recorded.reprs.map(([text]) => [text, repr(text)])).toEqual(recorded.reprs);
});

test('JSON keeps the difference between a float and an integer', () => {
  const row = parseJsonAsPython(
    '{"a": 42.0, "b": 7, "c": 12345678901234567890, "d": NaN, "e": "1.0 NaN", "f": -1e3}',
  );
  expect(row).toEqual({
    a: new PythonFloat(42),
    b: 7,
    c: 12345678901234567890n,
    d: new PythonFloat(Number.NaN),
    e: '1.0 NaN',
    f: new PythonFloat(-1000),
  });
  expect(str(new PythonFloat(42))).toBe('42.0');
});

test.each(['[1.]', '[01]', '[01.5]', '{"a" 1}', '[+1]', '[.5]'])('%s is not JSON', (text) => {
  expect(() => parseJsonAsPython(text)).toThrow(SyntaxError);
});

test('a JSON string may be as long as an image', () => {
  const image = 'A'.repeat(16 * 2 ** 20);
  const row = parseJsonAsPython(`{"image": "${image}", "answer": "\\"4\\"", "n": 1.0}`) as Record<
    string,
    unknown
  >;
  expect(row.image === image).toBe(true);
  expect([row.answer, row.n]).toEqual(['"4"', new PythonFloat(1)]);
});
