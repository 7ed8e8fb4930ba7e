/**
 * Numbers between bounds, as languages of their digits. At most 15 digits stand before the point, so that every number
 * is exact in a double; a bound further out is as good as none.
 */
import { type Language, text } from './automaton.ts';
import { refuse, type Schema } from './keywords.ts';
import { rowsBetween } from './ranges.ts';

const digits = 15;
const largest = 10 ** digits - 1;

const digit: Language = { one: [[0x30, 0x39]] };
const upTo = (of: Language, most: number, least = 1): Language => ({ of, least, most });
const optional = (of: Language): Language => ({ of, least: 0, most: 1 });
const minus = text('-');
const point = text('.');

/** Numbers without bounds, as people write them, and with an exponent. */
const anyNumber: Language = {
  all: [
    optional(minus),
    between(0, largest),
    optional({ all: [point, upTo(digit, 15)] }),
    optional({
      all: [{ any: [text('e'), text('E')] }, optional({ any: [text('+'), minus] }), upTo(digit, 2)],
    }),
  ],
};

/** @throws CogVLM2Error `invalid_json_schema` for bounds that leave no whole number, and for multipleOf. */
export function integersOf(schema: Schema, at: string): Language {
  if (schema.multipleOf !== undefined && schema.multipleOf !== 1) {
    refuse(at, `has multipleOf ${schema.multipleOf}, which cannot be enforced`);
  }
  const { least, most } = wholeBounds(schema);
  if (least > most) refuse(at, 'allows no whole number');
  const positive = most >= 0 ? [between(Math.max(0, least), most)] : [];
  const negative = least < 0 ? [{ all: [minus, between(Math.max(1, -most), -least)] }] : [];
  return { any: [...positive, ...negative] };
}

/**
 * Whole numbers between the bounds, and fractions between two of them.
 * @throws CogVLM2Error `invalid_json_schema` for bounds that are not whole or leave no number, and for multipleOf.
 */
export function numbersOf(schema: Schema, at: string): Language {
  if (schema.multipleOf !== undefined) {
    refuse(at, `has multipleOf ${schema.multipleOf}, which cannot be enforced`);
  }
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const bounds = [minimum, maximum, exclusiveMinimum, exclusiveMaximum].filter(
    (bound) => bound !== undefined,
  );
  if (bounds.length === 0) return anyNumber;
  const broken = bounds.find((bound) => !Number.isInteger(bound));
  if (broken !== undefined)
    refuse(at, `has the bound ${broken}; only whole numbers can be enforced as bounds`);
  const lower = Math.max(minimum ?? -largest, exclusiveMinimum ?? -largest, -largest);
  const upper = Math.min(maximum ?? largest, exclusiveMaximum ?? largest, largest);
  const { least, most } = wholeBounds(schema);
  const negative = sided(Math.max(1, -most), -least, Math.max(0, -upper), -lower - 1);
  const choices = [
    ...sided(Math.max(0, least), most, Math.max(0, lower), upper - 1),
    ...negative.map((size): Language => ({ all: [minus, size] })),
  ];
  if (choices.length === 0) refuse(at, 'allows no number');
  return { any: choices };
}

/** Whole numbers of [least, most], and fractions above the whole numbers of [first, last]. */
function sided(least: number, most: number, first: number, last: number): Language[] {
  const zeros = (fewest: number, most: number) => upTo(text('0'), most, fewest);
  const whole: Language = { all: [between(least, most), optional({ all: [point, zeros(1, 6)] })] };
  const nonZero: Language = { one: [[0x31, 0x39]] };
  const fraction: Language = { all: [between(first, last), point, zeros(0, 5), nonZero, upTo(digit, 5, 0)] };
  return [...(least <= most ? [whole] : []), ...(first <= last ? [fraction] : [])];
}

function wholeBounds(schema: Schema): { least: number; most: number } {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const least = Math.max(
    -largest,
    Math.ceil(minimum ?? -largest),
    Math.floor(exclusiveMinimum ?? -largest - 1) + 1,
  );
  const most = Math.min(
    largest,
    Math.floor(maximum ?? largest),
    Math.ceil(exclusiveMaximum ?? largest + 1) - 1,
  );
  return { least, most };
}

/** The decimal forms, without leading zeros, of the whole numbers from `least` (0 or more) to `most`. */
function between(least: number, most: number): Language {
  const choices: Language[] = [];
  for (let length = String(least).length; length <= String(most).length; length++) {
    const from = Math.max(least, length === 1 ? 0 : 10 ** (length - 1));
    const to = Math.min(most, 10 ** length - 1);
    for (const row of rowsBetween(digitsOf(from), digitsOf(to), 0, 9)) {
      choices.push({ all: row.map(([a, b]) => ({ one: [[0x30 + a, 0x30 + b]] })) });
    }
  }
  return { any: choices };
}

function digitsOf(number: number): number[] {
  return Array.from(String(number), Number);
}
