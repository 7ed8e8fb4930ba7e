/** JSON strings, of any or of limited length. */
import { astralCharacters, characters, plainCharacters } from './characters.ts';
import { choice, counting, type Expression, literal, oneOf, sequence } from './expression.ts';

const hexDigit = characters([
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
]);
/** Without D800 to DFFF, which are surrogates. */
const code = choice(
  sequence(oneOf([...'0123456789abcefABCEF']), hexDigit, hexDigit, hexDigit),
  sequence(oneOf(['d', 'D']), oneOf([...'01234567']), hexDigit, hexDigit),
);
const escaped = sequence(literal('\\'), choice(oneOf([...'"\\/bfnrt']), sequence(literal('u'), code)));
/** A character of one UTF-16 unit, and a character of two. */
const unit = choice(characters(plainCharacters), escaped);
const pair = characters([astralCharacters]);
const quote = literal('"');

/**
 * A string of `least` to `most` characters. JSON Schema counts characters; JavaScript and zod count UTF-16 units. The
 * minimum is counted in characters and the maximum in UTF-16 units, so the answer is valid for both.
 */
export function limitedString(least: number, most: number): Expression {
  const rest: (least: number, most: number) => Expression = counting((least, most) => {
    const fewer = Math.max(0, least - 1);
    return choice(
      ...(least === 0 ? [quote] : []),
      ...(most > 0 ? [sequence(unit, rest(fewer, most - 1))] : []),
      ...(most - 2 >= fewer ? [sequence(pair, rest(fewer, most - 2))] : []),
    );
  });
  return sequence(quote, rest(least, most));
}

export const anyString = limitedString(0, Number.POSITIVE_INFINITY);
