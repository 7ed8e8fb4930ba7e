/**
 * Sets of characters as classes of bytes. The library's own classes are right for ASCII only: beyond it they let
 * through what is no UTF-8, or nothing. Its classes of bytes are right, but for those of a single byte, which it takes
 * for a character: such a class gets 0xFF as well, a byte that UTF-8 does not have and `GrammarMasks` gives to no token.
 */
import { type Place, rowsBetween } from './ranges.ts';

/** Inclusive code points. */
export type CharacterRange = readonly [from: number, to: number];

/** What JSON writes in a string as it is, up to U+FFFF: no control characters, quotes, backslashes or halves of pairs. */
export const plainCharacters: readonly CharacterRange[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0xd7ff],
  [0xe000, 0xffff],
];
export const astralCharacters: CharacterRange = [0x10000, 0x10ffff];

/** The first and last code point of each length in UTF-8. */
const lengths: readonly CharacterRange[] = [[0, 0x7f], [0x80, 0x7ff], [0x800, 0xffff], astralCharacters];

/** Sequences of classes of bytes, which together match the UTF-8 of the characters and nothing else. */
export function byteSequences(ranges: readonly CharacterRange[]): string[] {
  const sequences: string[] = [];
  for (const [first, last] of lengths) {
    const rows = intersection(ranges, [[first, last]]).flatMap(([from, to]) =>
      rowsBetween(utf8(from), utf8(to), 0x80, 0xbf),
    );
    // Of ASCII, all ranges make one class.
    if (last === 0x7f && rows.length > 0)
      sequences.push(`[${rows.map(([place]) => bytes(place!)).join('')}]`);
    else sequences.push(...rows.map((row) => row.map((place) => `[${bytes(place)}]`).join(' ')));
  }
  return sequences;
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

function bytes([from, to]: Place): string {
  const written = [from, to].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
  if (from !== to) return written.join('-');
  return from < 0x80 ? written[0]! : `${written[0]}\\xff`;
}

function utf8(codePoint: number): number[] {
  return [...Buffer.from(String.fromCodePoint(codePoint))];
}

/** A literal of the grammar. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\x20-\x7E]/gu, (character) => {
    return `\\U${character.codePointAt(0)!.toString(16).padStart(8, '0')}`;
  });
}
