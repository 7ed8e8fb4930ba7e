/** Strings of JSON, any and of limited length. */
import { astralCharacters, characters, plainCharacters } from './characters.ts';
import { choice, counting, type Expression, literal, oneOf, sequence } from './expression.ts';

const hexDigit = characters([
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
]);
/** Not D800 to DFFF, which are halves of pairs. */
const code = choice(
  sequence(oneOf([...'0123456789abcefABCEF']), hexDigit, hexDigit, hexDigit),
  sequence(oneOf(['d', 'D']), oneOf([...'01234567']), hexDigit, hexDigit),
);
const escaped = sequence(literal('\\'), choice(oneOf([...'"\\/bfnrt']), sequence(literal('u'), code)));
/** One character that is one UTF-16 unit, and one that is two. */
const unit = choice(characters(plainCharacters), escaped);
const pair = characters([astralCharacters]);
const quote = literal('"');

/**
 * A string of `least` to `most` characters. JSON Schema counts characters, but JavaScript, and so zod, UTF-16 units: the
 * fewest are counted as the first and the most as the second, so that both are right.
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
