/**
 * Strings, as rules that go on into themselves or the next one. A repetition would say the same, but the library then
 * works out anew in each step which tokens fit: with 128,000 of them 0.2 to 0.5 s instead of less than 1 ms.
 */
import { astralCharacters, byteSequences, plainCharacters } from './characters.ts';

/** A limit of n characters takes n rules, each of which takes tens of milliseconds to compile for a large vocabulary. */
export const longestLimit = 64;

/** What the rules of this file, and `limitedString`, stand on. */
export const STRING_RULES = String.raw`
string ::= "\"" rest
rest ::= ${restOf('rest', true, true)}
escape ::= ["\\/bfnrt] | "u" notsurrogate
notsurrogate ::= [0-9a-ce-fA-CE-F] hex hex hex | [dD] [0-7] hex hex
hex ::= [0-9a-fA-F]
`;

/** A string of `least` to `most` characters. `define` writes a rule of that name once. */
export function limitedString(
  least: number,
  most: number,
  define: (name: string, body: () => string) => string,
): string {
  // JSON Schema counts characters and JavaScript UTF-16 units: where there is a most, only those that are one of both.
  const rest = (missing: number, left: number): string => {
    if (missing === 0 && left === Number.POSITIVE_INFINITY) return 'rest';
    if (left === 0) return '"\\""';
    const limited = left !== Number.POSITIVE_INFINITY;
    return define(limited ? `rest${missing}to${left}` : `rest${missing}`, () =>
      restOf(rest(Math.max(0, missing - 1), left - 1), missing === 0, !limited),
    );
  };
  return `"\\"" ${rest(least, most)}`;
}

/** One character of a string and then `next`; or, where it may end, the closing quote. */
function restOf(next: string, mayEnd: boolean, astral: boolean): string {
  const characters = byteSequences(astral ? [...plainCharacters, astralCharacters] : plainCharacters);
  const going = [...characters, String.raw`"\\" escape`].map((one) => `${one} ${next}`);
  return (mayEnd ? ['"\\""', ...going] : going).join(' | ');
}
