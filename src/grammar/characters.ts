/** Sets of characters, and their expressions over UTF-8 bytes. */
import { choice, type Expression, sequence } from './expression.ts';

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

function byteOf([from, to]: DigitRange): Expression {
  return { type: 'byte', from, to };
}

function utf8(codePoint: number): number[] {
  return [...Buffer.from(String.fromCodePoint(codePoint))];
}

// Numbers between two bounds, in any base, as rows of digit ranges.

/** The digits at one place, inclusive. */
type DigitRange = readonly [least: number, most: number];

/**
 * All numbers from `from` to `to`, which have equally many digits. Within a row, the digits are independent of each other.
 * @param least and `most`: limits of every place but the first.
 */
function rowsBetween(
  from: readonly number[],
  to: readonly number[],
  least: number,
  most: number,
): DigitRange[][] {
  const [a, ...restFrom] = from;
  const [b, ...restTo] = to;
  if (a === undefined || b === undefined) return [[]];
  const free: DigitRange[] = restFrom.map(() => [least, most]);
  if (restFrom.every((place) => place === least) && restTo.every((place) => place === most)) {
    return [[[a, b], ...free]];
  }
  const under = (first: number, rests: DigitRange[][]): DigitRange[][] =>
    rests.map((rest) => [[first, first], ...rest]);
  if (a === b) return under(a, rowsBetween(restFrom, restTo, least, most));
  const between: DigitRange[][] = a + 1 < b ? [[[a + 1, b - 1], ...free]] : [];
  const highest = restFrom.map(() => most);
  const lowest = restTo.map(() => least);
  return [
    ...under(a, rowsBetween(restFrom, highest, least, most)),
    ...between,
    ...under(b, rowsBetween(lowest, restTo, least, most)),
  ];
}
