/**
 * Numbers with bounds and multipleOf, exactly, as decimals. A digit is allowed if some allowed number begins with the digits so
 * far. States are made when a text reaches them; prefixes with the same continuations share a state.
 *
 * Numbers have at most 15 digits and no exponent. So different decimals are different doubles in the same order, and a
 * comparison of doubles gives the same result.
 */
import { type Effort, type Language, text } from './automaton.ts';
import { choice, Deferred, type Expression, literal, nothing, sequence } from './expression.ts';
import { refuse, type Schema } from './schema.ts';

const mostDigits = 15;
/** Powers of ten by exponent; all are exact. */
const powers = Array.from({ length: mostDigits + 1 }, (_, exponent) => Number(`1e${exponent}`));
const zero = 0x30;

/** Cost of a state that is made later, in steps of an `Effort`. */
const stepsPerState = 5;

const digit: Language = { one: [[zero, zero + 9]] };
const upTo = (of: Language, most: number, least = 1): Language => ({ of, least, most });
const optional = (of: Language): Language => ({ of, least: 0, most: 1 });
const minus = text('-');

/** Numbers without limits, with or without an exponent. */
export const anyNumber: Language = {
  sequence: [
    optional(minus),
    { choice: [text('0'), { sequence: [{ one: [[zero + 1, zero + 9]] }, upTo(digit, mostDigits - 1, 0)] }] },
    optional({ sequence: [text('.'), upTo(digit, 15)] }),
    optional({
      sequence: [
        { choice: [text('e'), text('E')] },
        optional({ choice: [text('+'), minus] }),
        upTo(digit, 2),
      ],
    }),
  ],
};

/** @throws CogVLM2Error `invalid_json_schema` for limits that allow no number or exceed the budget. */
export function limitedNumber(schema: Schema, isInteger: boolean, at: string, effort: Effort): Expression {
  const { multipleOf, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
  const { exclusiveMinimum = Number.NEGATIVE_INFINITY, exclusiveMaximum = Number.POSITIVE_INFINITY } = schema;
  const step = multipleOf === undefined && !isInteger ? finest : decimalOf(multipleOf ?? 1);
  const decimals = isInteger ? 0 : Math.min(step.decimals, mostDigits - 1);
  // The ceiling, as minus the floor of the negative.
  const sizes = (fewest: number, least: number, above: number, most: number, below: number) => {
    const scales = Array.from({ length: decimals + 1 }, (_, decimals) => ({
      least: Math.max(fewest, -floorAt(-least, decimals), floorAt(above, decimals) + 1),
      most: Math.min(powers[mostDigits]! - 1, floorAt(most, decimals), -floorAt(-below, decimals) - 1),
      step: stepAt(step, decimals),
    }));
    return new Sizes(scales);
  };
  const positive = sizes(0, minimum, exclusiveMinimum, maximum, exclusiveMaximum);
  const negative = sizes(1, -maximum, -exclusiveMaximum, -minimum, -exclusiveMinimum);
  const kind = isInteger ? 'whole number' : 'number';
  const choices = [
    ...(positive.start ? [positive.start] : []),
    ...(negative.start ? [sequence(literal('-'), negative.start)] : []),
  ];
  if (choices.length === 0) refuse(at, `allows no ${kind} of up to ${mostDigits} digits`);
  const states = positive.states + negative.states;
  const room = Math.floor(effort.steps / stepsPerState);
  if (states > room) {
    const what = multipleOf === undefined ? 'bounds, which take' : `multipleOf ${multipleOf}, which takes`;
    refuse(
      at,
      `has ${what} up to ${states} states, but only ${room} are left for the schema; closer bounds need fewer`,
    );
  }
  effort.steps -= states * stepsPerState;
  return choice(...choices);
}

/** The count of 10^-decimals that it is. */
interface Decimal {
  count: bigint;
  decimals: number;
}

/** All numbers of `mostDigits` digits are multiples of this, because at least one digit precedes the point. */
const finest: Decimal = { count: 1n, decimals: mostDigits - 1 };

/** The allowed numbers with a given number of decimals, in units of the last decimal. */
interface Scale {
  least: number;
  most: number;
  step: number;
}

interface Prefix {
  /** All digits as one integer. */
  value: number;
  /** Digits before the point. */
  whole: number;
  /** Digits after the point; null before the point. */
  decimals: number | null;
}

/** Numbers without their sign. */
class Sizes {
  /** The expression; null when no number is allowed. */
  readonly start: Expression | null;
  /** By the number of decimals. */
  readonly #scales: readonly Scale[];
  readonly #made = new Map<string, Deferred>();

  constructor(scales: readonly Scale[]) {
    this.#scales = scales;
    const start = this.#behind({ value: 0, whole: 0, decimals: null });
    // It is made here, because a schema is read in steps. Later, those of a thousand alternatives would be made in one step.
    this.start = start?.expression ?? null;
  }

  /** Limit of states, without those on the digits of a bound. */
  get states(): number {
    if (this.start === null) return 0;
    const widest = String(this.#scales[0]!.most).length;
    const numbers = sum(this.#scales, ({ least, most, step }) =>
      Math.max(0, Math.floor((most - least) / step) + 1),
    );
    return sum(this.#scales, ({ step }, decimals) => {
      const widths = Array.from({ length: Math.min(widest, mostDigits - decimals) }, (_, i) => i + 1);
      return sum(widths, (whole) => Math.min(step, powers[whole + decimals]!, numbers));
    });
  }

  /** The continuations of a prefix; null if no number begins with it. Prefixes with the same continuations share one expression. */
  #behind(prefix: Prefix): Deferred | null {
    const { value, whole, decimals } = prefix;
    const isWhole = decimals !== null || (value === 0 && whole === 1);
    const longest = isWhole ? whole : mostDigits;
    let isPossible = false;
    // Zero and prefixes of a bound have different continuations.
    let isOwn = value === 0;
    let within = '';
    for (let length = Math.max(1, whole); length <= longest; length++) {
      // Numbers with fewer decimals are those with the most that end in zeros.
      const most = this.#mostDecimals(length);
      const scale = this.#scales[most]!;
      const power = powers[length - whole + most - (decimals ?? 0)]!;
      const [from, to] = [value * power, (value + 1) * power - 1];
      isPossible ||= hasMultiple(scale, from, to);
      const isInside = from >= scale.least && to <= scale.most;
      isOwn ||= !isInside && to >= scale.least && from <= scale.most;
      within += isInside ? '+' : '-';
    }
    if (!isPossible) return null;
    const left = isOwn ? `at ${value}` : `${value % this.#scales[decimals ?? 0]!.step} ${within}`;
    const key = `${whole} ${decimals} ${left}`;
    const made = this.#made.get(key) ?? new Deferred(() => this.#next(prefix));
    this.#made.set(key, made);
    return made;
  }

  #next(prefix: Prefix): Expression {
    const { value, whole, decimals } = prefix;
    const choices: Expression[] = [];
    const isNumber = whole > 0 && decimals !== 0;
    if (isNumber && hasMultiple(this.#scales[decimals ?? 0]!, value, value)) choices.push(nothing);
    const mostDecimals = this.#mostDecimals(whole);
    if (isNumber && decimals === null && mostDecimals > 0) {
      const rest = this.#behind({ value, whole, decimals: 0 });
      if (rest !== null) choices.push(sequence(literal('.'), rest));
    }
    const isFull =
      decimals === null ? whole === mostDigits || (value === 0 && whole === 1) : decimals === mostDecimals;
    const ways: { from: number; to: number; rest: Expression }[] = [];
    for (let digit = 0; digit <= 9 && !isFull; digit++) {
      const longer = value * 10 + digit;
      const rest = this.#behind(
        decimals === null
          ? { value: longer, whole: whole + 1, decimals }
          : { value: longer, whole, decimals: decimals + 1 },
      );
      const last = ways.at(-1);
      if (last?.rest === rest && last?.to === digit - 1) last.to = digit;
      else if (rest !== null) ways.push({ from: digit, to: digit, rest });
    }
    choices.push(
      ...ways.map(({ from, to, rest }) => sequence({ type: 'byte', from: zero + from, to: zero + to }, rest)),
    );
    return choice(...choices);
  }

  #mostDecimals(whole: number): number {
    return Math.min(this.#scales.length - 1, mostDigits - whole);
  }
}

function hasMultiple({ least, most, step }: Scale, from: number, to: number): boolean {
  const [low, high] = [Math.max(least, from), Math.min(most, to)];
  return high >= low && high - (high % step) >= low;
}

function sum<T>(parts: readonly T[], of: (part: T, index: number) => number): number {
  return parts.reduce((total, part, i) => total + of(part, i), 0);
}

/** The shortest decimal of a double, which is the number in the schema. */
function decimalOf(double: number): Decimal {
  const [mantissa, exponent = '0'] = String(double).split('e');
  const [whole, fraction = ''] = mantissa!.split('.');
  const decimals = fraction.length - Number(exponent);
  const count = BigInt(whole + fraction) * 10n ** BigInt(Math.max(0, -decimals));
  return { count, decimals: Math.max(0, decimals) };
}

/** Rounded down to a whole number of 10^-decimals. */
function floorAt(bound: number, decimals: number): number {
  if (!Number.isFinite(bound)) return bound;
  const decimal = decimalOf(bound);
  const [count, unit] = [decimal.count * 10n ** BigInt(decimals), 10n ** BigInt(decimal.decimals)];
  return Number(count / unit) - (count % unit < 0n ? 1 : 0);
}

/** The step in units of 10^-decimals. */
function stepAt({ count, decimals: most }: Decimal, decimals: number): number {
  let step = count;
  for (let i = decimals; i < most; i++) step /= (step % 2n === 0n ? 2n : 1n) * (step % 5n === 0n ? 5n : 1n);
  return Number(step);
}
