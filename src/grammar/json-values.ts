/** JSON values as expressions: lists, objects, and any value. */
import { automaton, deterministic } from './automaton.ts';
import {
  type Continued,
  choice,
  counting,
  Deferred,
  type Expression,
  literal,
  nothing,
  oneOf,
  oneOfThen,
  optional,
  sequence,
} from './expression.ts';
import { anyNumber } from './number-range.ts';
import { mostStates } from './pattern.ts';
import { anyString } from './strings.ts';
import { doAtOnce } from './work.ts';

/** The model may write a space after a comma and a colon, or leave it out. */
const comma = oneOf([',', ', ']);
export const colon = oneOf([':', ': ']);

/** Budget for the automata of one schema: some tens of milliseconds of work. */
export const mostEffort = 150_000;

export const number = automaton(
  doAtOnce(deterministic(anyNumber, mostStates, { steps: mostEffort })) ?? [],
  nothing,
);
export const anyValue: Expression = new Deferred(() =>
  choice(anyObject, listOf('[', anyValue, ']'), anyString, number, oneOf(['true', 'false', 'null'])),
);
const anyObject = listOf('{', sequence(anyString, colon, anyValue), '}');

/** The model may begin an answer with a space, as in its training between "Answer:" and the text. */
export const leadingSpace = optional(literal(' '));

/** Any JSON object. */
export const objectGrammar = anyObject;

/** The items of `first`, then `least` to `most` further ones. */
export function listOf(
  open: string,
  item: Expression,
  close: string,
  least = 0,
  most = Number.POSITIVE_INFINITY,
  first: readonly Expression[] = [],
): Expression {
  const end = literal(close);
  const items = (separator: Expression, least: number, most: number) =>
    choice(
      ...(least === 0 ? [end] : []),
      ...(most > 0 ? [sequence(separator, item, further(Math.max(0, least - 1), most - 1))] : []),
    );
  const further: (least: number, most: number) => Expression = counting((least, most) =>
    items(comma, least, most),
  );
  const [head, ...others] = first;
  if (head === undefined) return sequence(literal(open), items(nothing, least, most));
  return sequence(literal(open), head, ...others.flatMap((other) => [comma, other]), further(least, most));
}

export interface Member {
  name: string;
  value: Expression;
  isRequired: boolean;
}

/**
 * An object with these members in their order. Members that are not required may be left out. The names of the possible next
 * members are one trie, which is made when an answer reaches it. So an object with thousands of members is a few stacks in the
 * machine.
 */
export function membersInOrder(members: readonly Member[]): Expression {
  const end = literal('}');
  /** For each member and for the end: the members that can follow, or the end of the object. */
  const next = (from: number, separator: Expression) =>
    new Deferred(() => {
      const required = members.findIndex(({ isRequired }, i) => i >= from && isRequired);
      const texts = written.slice(from, required < 0 ? undefined : required + 1);
      return choice(
        ...(texts.length > 0 ? [sequence(separator, oneOfThen(texts))] : []),
        ...(required < 0 ? [end] : []),
      );
    });
  const written: Continued[] = members.map(({ name, value }, i) => ({
    bytes: Buffer.from(JSON.stringify(name)),
    after: sequence(colon, value, next(i + 1, comma)),
  }));
  return sequence(literal('{'), next(0, nothing));
}
