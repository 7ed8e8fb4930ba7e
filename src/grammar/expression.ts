/**
 * A grammar over bytes. An expression may contain itself, through a `Deferred` or a choice that is completed later, so one
 * expression describes nested JSON.
 */
export type Expression =
  /** These bytes in sequence; at least one. */
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  /** One byte of this range, inclusive. */
  | { readonly type: 'byte'; readonly from: number; readonly to: number }
  | { readonly type: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly type: 'choice'; readonly choices: readonly Expression[] }
  | Deferred;

/** An expression that is made when a text first reaches it. Counters have thousands of these, of which a text reaches few. */
export class Deferred {
  readonly type = 'deferred';
  readonly #make: () => Expression;
  readonly #near: ((bytes: number) => Expression) | undefined;
  #made: Expression | undefined;

  /** @param near a simpler expression that accepts the same next `bytes` bytes. */
  constructor(make: () => Expression, near?: (bytes: number) => Expression) {
    this.#make = make;
    this.#near = near;
  }

  get expression(): Expression {
    this.#made ??= this.#make();
    return this.#made;
  }

  near(bytes: number): Expression {
    return this.#near?.(bytes) ?? this;
  }
}

export function literal(text: string): Expression {
  return { type: 'bytes', bytes: Buffer.from(text) };
}

export function sequence(...parts: Expression[]): Expression {
  return { type: 'sequence', parts };
}

export function choice(...choices: Expression[]): Expression {
  return { type: 'choice', choices };
}

export const nothing = sequence();

export function optional(expression: Expression): Expression {
  return choice(expression, nothing);
}

/** One of several texts, as a trie: a common beginning occurs once, so a thousand texts are one stack in the machine. */
export function oneOf(texts: Iterable<string>): Expression {
  return oneOfThen(Array.from(new Set(texts), (text) => ({ bytes: Buffer.from(text), after: nothing })));
}

/** A text, and what follows it. */
export interface Continued {
  readonly bytes: Uint8Array;
  readonly after: Expression;
}

/** One of several texts, each with what follows it. @param texts at least one, all different */
export function oneOfThen(texts: readonly Continued[]): Expression {
  return trie(texts, 0);
}

/** A part of the trie with more texts is made when an answer first reaches it. */
const mostTexts = 64;

/** @param texts at least one, all different; their first `at` bytes are equal */
function trie(texts: readonly Continued[], at: number): Expression {
  const first = texts[0]!.bytes;
  let end = first.length;
  for (const { bytes } of texts) {
    let same = at;
    while (same < end && bytes[same] === first[same]) same++;
    end = same;
  }
  const longer = new Map<number, Continued[]>();
  const choices: Expression[] = [];
  for (const text of texts) {
    const byte = text.bytes[end];
    const group = byte === undefined ? undefined : longer.get(byte);
    if (byte === undefined) choices.push(text.after);
    else if (group === undefined) longer.set(byte, [text]);
    else group.push(text);
  }
  for (const group of longer.values()) {
    choices.push(group.length > mostTexts ? new Deferred(() => trie(group, end)) : trie(group, end));
  }
  const rest = choices.length === 1 ? choices[0]! : choice(...choices);
  if (end === at) return rest;
  return sequence({ type: 'bytes', bytes: first.subarray(at, end) }, rest);
}

/**
 * A counter: `step` gives the expression for `least` to `most` further items, from the expressions for fewer. For the next
 * few bytes, a limit that is far away is the same as no limit, so masks can be shared.
 */
export function counting(
  step: (least: number, most: number) => Expression,
): (least: number, most: number) => Expression {
  const made = new Map<string, Expression>();
  const at = (least: number, most: number): Expression => {
    const key = `${least} ${most}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const near = (bytes: number) => {
      const fewest = Math.min(least, bytes);
      const slack = most - least;
      return at(fewest, slack >= bytes ? Number.POSITIVE_INFINITY : fewest + slack);
    };
    const expression = new Deferred(() => step(least, most), near);
    made.set(key, expression);
    return expression;
  };
  return at;
}
