/** Sets of characters, and their expressions over UTF-8 bytes. */
import { choice, type Expression, sequence } from './expression.ts';
import { type Place, rowsBetween } from './ranges.ts';

/** Inclusive code points. */
export type CharacterRange = readonly [from: number, to: number];

/** Characters up to U+FFFF that need no escape in a JSON string: no control characters, quotes, backslashes or surrogates. */
export const plainCharacters: readonly CharacterRange[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0xd7ff],
  [0xe000, 0xffff],
];
export const astralCharacters: CharacterRange = [0x10000, 0x10ffff];

/** The characters of plain text: no surrogates; of the control characters only tab and line ends. */
export const textCharacters: readonly CharacterRange[] = [
  [0x09, 0x0a],
  [0x0d, 0x0d],
  [0x20, 0x7e],
  [0xa0, 0xd7ff],
  [0xe000, 0x10ffff],
];

/** The first and last code point of each length in UTF-8. */
const lengths: readonly CharacterRange[] = [[0, 0x7f], [0x80, 0x7ff], [0x800, 0xffff], astralCharacters];

/** One of these characters. */
export function characters(ranges: readonly CharacterRange[]): Expression {
  const rows = lengths.flatMap((length) =>
    intersection(ranges, [length]).flatMap(([from, to]) => rowsBetween(utf8(from), utf8(to), 0x80, 0xbf)),
  );
  return choice(...rows.map((row) => (row.length === 1 ? byteOf(row[0]!) : sequence(...row.map(byteOf)))));
}

/** The characters of `from` that are in none of `taken`. */
export function without(from: readonly CharacterRange[], taken: readonly CharacterRange[]): CharacterRange[] {
  let left = [...from];
  for (const [a, b] of taken) {
    left = left.flatMap(([low, high]): CharacterRange[] => {
      if (b < low || a > high) return [[low, high]];
      const below: CharacterRange[] = low < a ? [[low, a - 1]] : [];
      const above: CharacterRange[] = high > b ? [[b + 1, high]] : [];
      return [...below, ...above];
    });
  }
  return left;
}

export function intersection(a: readonly CharacterRange[], b: readonly CharacterRange[]): CharacterRange[] {
  return without(a, without(a, b));
}

function byteOf([from, to]: Place): Expression {
  return { type: 'byte', from, to };
}

function utf8(codePoint: number): number[] {
  return [...Buffer.from(String.fromCodePoint(codePoint))];
}
