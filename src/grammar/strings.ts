/** JSON strings: of any length, of limited length, and with a pattern and a limited length. */

import type { AutomatonState, Effort } from './automaton.ts';
import {
  astralCharacters,
  type CharacterRange,
  characters,
  intersection,
  plainCharacters,
  without,
} from './characters.ts';
import { choice, counting, Deferred, type Expression, literal, oneOf, sequence } from './expression.ts';

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

// Strings with a pattern and a limit of length: the automaton of the pattern together with a counter.

const backslash: readonly CharacterRange[] = [[0x5c, 0x5c]];
const letterU: readonly CharacterRange[] = [[0x75, 0x75]];

interface PatternState {
  accepts: boolean;
  moves: Move[];
}

interface Move {
  character: Expression;
  /** Characters that it counts: an escape such as \n is one character. */
  count: 0 | 1;
  to: number;
}

/**
 * The texts of the automaton with `least` to `most` characters, each followed by `end`.
 * @param states for the insides of JSON strings.
 * @returns the reason when it cannot be done
 */
export function limitedAutomaton(
  states: readonly AutomatonState[],
  least: number,
  most: number,
  end: Expression,
  effort: Effort,
): Expression | string {
  const places = statesOf(states);
  if (places === null) return 'limits the length of a string whose pattern has control characters';
  // Beyond the minimum plus the number of places, a limit has no effect.
  const longest = most === Number.POSITIVE_INFINITY ? least + places.length : most;
  // A step here costs about a sixteenth of a step of the construction.
  effort.steps -= (longest * places.reduce((sum, { moves }) => sum + 1 + moves.length, 0)) / 16;
  if (effort.steps < 0)
    return 'limits the length of a string with a pattern, which needs too much computation';
  const ends = lengthsOf(places, longest);
  const fits = (place: number, least: number, most: number) => {
    for (let count = least; count <= Math.min(most, longest); count++) {
      if (ends[count * places.length + place] === 1) return true;
    }
    return false;
  };
  const made = new Map<string, Deferred>();
  const rest = (place: number, least: number, most: number): Expression => {
    const key = `${place} ${least} ${most}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const expression = new Deferred(() => {
      const { accepts, moves } = places[place]!;
      const going = moves.flatMap(({ character, count, to }) => {
        const [fewer, left] = [Math.max(0, least - count), most - count];
        return fits(to, fewer, left) ? [sequence(character, rest(to, fewer, left))] : [];
      });
      return choice(...(accepts && least === 0 ? [end] : []), ...going);
    });
    made.set(key, expression);
    return expression;
  };
  if (!fits(0, least, most)) return 'allows no string length that its pattern allows';
  return rest(0, least, most);
}

/** Two places for each state s: 2 s, and 2 s + 1 after a backslash. Null when the automaton has \u escapes. */
function statesOf(states: readonly AutomatonState[]): PatternState[] | null {
  const places = states.flatMap(({ accepts, moves }): PatternState[] => {
    const plain = moves.flatMap(({ ranges, to }): Move[] => {
      const others = without(ranges, backslash);
      const escapes = intersection(ranges, backslash).length > 0;
      return [
        ...(others.length > 0 ? [{ character: characters(others), count: 1, to: 2 * to } as const] : []),
        ...(escapes ? [{ character: characters(backslash), count: 0, to: 2 * to + 1 } as const] : []),
      ];
    });
    const behind = moves.map(
      ({ ranges, to }): Move => ({ character: characters(ranges), count: 1, to: 2 * to }),
    );
    return [
      { accepts, moves: plain },
      { accepts: false, moves: behind },
    ];
  });
  const behind = new Set(
    places.flatMap(({ moves }) => moves.filter(({ count }) => count === 0).map(({ to }) => to)),
  );
  const hasCodes = [...behind].some((place) =>
    states[(place - 1) / 2]!.moves.some(({ ranges }) => intersection(ranges, letterU).length > 0),
  );
  return hasCodes ? null : places;
}

/** For each count up to `longest` and each place: 1 when a text can end after exactly so many more characters. */
function lengthsOf(places: readonly PatternState[], longest: number): Uint8Array {
  const ends = new Uint8Array((longest + 1) * places.length);
  // Places after a backslash first: transitions that count nothing lead there.
  const order = places.map((_, i) => i).sort((a, b) => (b % 2) - (a % 2));
  for (let count = 0; count <= longest; count++) {
    for (const place of order) {
      const { accepts, moves } = places[place]!;
      const can =
        (count === 0 && accepts) ||
        moves.some(
          (move) => count >= move.count && ends[(count - move.count) * places.length + move.to] === 1,
        );
      if (can) ends[count * places.length + place] = 1;
    }
  }
  return ends;
}
