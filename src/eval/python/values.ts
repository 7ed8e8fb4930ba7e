/** Python values of cells, JSON files and list literals, with `str`, `repr`, `float`, `round`, `strip` and `split` as in Python. */

export type PythonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | PythonFloat
  | PythonTuple
  | readonly PythonValue[];

export class PythonTuple {
  readonly items: readonly PythonValue[];

  constructor(items: readonly PythonValue[]) {
    this.items = items;
  }
}

export function str(value: PythonValue): string {
  return typeof value === 'string' ? value : repr(value);
}

export function repr(value: PythonValue): string {
  if (typeof value === 'string') return quoted(value);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isInteger(value) ? String(BigInt(value)) : floatRepr(value);
  if (value instanceof PythonFloat) return floatRepr(value.value);
  if (value instanceof PythonTuple) {
    const items = value.items.map(repr).join(', ');
    return value.items.length === 1 ? `(${items},)` : `(${items})`;
  }
  return `[${value.map(repr).join(', ')}]`;
}

const short: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Single quotes, unless the text has single and no double quotes. Characters that are not printable are escaped. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\\'"]|[\p{C}\p{Z}]/gu, (character) => {
    if (character === ' ') return character;
    if (character === "'" || character === '"') return character === quote ? `\\${character}` : character;
    return short[character] ?? escaped(character.codePointAt(0)!);
  });
  return `${quote}${body}${quote}`;
}

function escaped(codePoint: number): string {
  const hex = codePoint.toString(16);
  if (codePoint < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** A number that was written with a decimal point or an exponent, so that 42.0 is not written as 42. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

const digits = '[0-9](?:_?[0-9])*';
const finite = new RegExp(`^[+-]?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:[eE][+-]?${digits})?$`);

/** White space for `strip`, but not for `float()`. */
const separators = ['\x1c', '\x1d', '\x1e', '\x1f'];

/** Python's `float(text)`; undefined for a ValueError. `Number()` differs for "", "0x10", "1_000" and "１０". */
export function parseFloatAsPython(text: string): number | undefined {
  if (separators.some((separator) => text.includes(separator))) return undefined;
  const plain = asciiDigits(strip(text));
  if (finite.test(plain)) return Number(plain.replaceAll('_', ''));
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(plain);
  if (special === null) return undefined;
  if (special[2]!.toLowerCase() === 'nan') return Number.NaN;
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Replaces decimal digits of Unicode by ASCII digits. They come in runs of ten (or of five times ten) that start with 0. */
function asciiDigits(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => {
    if (!isDigit(character.codePointAt(0)!)) return character;
    let start = character.codePointAt(0)!;
    while (isDigit(start - 1)) start -= 1;
    return String((character.codePointAt(0)! - start) % 10);
  });
}

function isDigit(codePoint: number): boolean {
  return /\p{Nd}/u.test(String.fromCodePoint(codePoint));
}

/** Python's `repr(float)`: the shortest digits that are read as the same number, with an exponent below 1e-4 and from 1e16. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  const sign = value < 0 ? '-' : '';
  const significant = mantissa.replace('-', '').replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${significant}`;
  const padded = significant.padEnd(exponent + 2, '0');
  return `${sign}${padded.slice(0, exponent + 1)}.${padded.slice(exponent + 1)}`;
}

/**
 * Python's `round(value, 2)`: rounds the exact decimal value of the double, ties to even. `toFixed` is exact too, but rounds
 * ties away from zero. A double is exactly between two hundredths only if eight times the double is an odd integer.
 */
export function roundToHundredths(value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 52) return value;
  const fixed = Math.abs(value).toFixed(2);
  const hundredths = BigInt(fixed.replace('.', ''));
  const tie = (Math.abs(value) * 8) % 2 === 1;
  const even = tie && hundredths % 2n === 1n ? hundredths - 1n : hundredths;
  const digits = String(even).padStart(3, '0');
  const rounded = Number(`${digits.slice(0, -2)}.${digits.slice(-2)}`);
  return value < 0 ? -rounded : rounded;
}

/**
 * White space of `strip`, `split` and `\s`. Unlike JavaScript's, it has U+001C..001F and U+0085, but not U+FEFF. This changes
 * scores: a byte order mark is a character of the answer.
 */
export const whitespaceClass =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const white = new RegExp(`[${whitespaceClass}]`, 'u');
const leading = new RegExp(`^[${whitespaceClass}]+`, 'u');
const inner = new RegExp(`[${whitespaceClass}]+`, 'u');

/** `text.strip()`, or `text.strip(characters)`, which removes the characters of a set from both ends. */
export function strip(text: string, characters?: string): string {
  if (characters === undefined) return stripWhite(text);
  const set = new Set(characters);
  const points = Array.from(text);
  let start = 0;
  let end = points.length;
  while (start < end && set.has(points[start]!)) start += 1;
  while (end > start && set.has(points[end - 1]!)) end -= 1;
  return points.slice(start, end).join('');
}

/** The end is stripped by a loop: a regular expression would take quadratic time for runs of white space inside the text. */
function stripWhite(text: string): string {
  let end = text.length;
  while (end > 0 && white.test(text[end - 1]!)) end -= 1;
  return text.slice(0, end).replace(leading, '');
}

/** `text.split()`: the words between runs of white space. */
export function words(text: string): string[] {
  const stripped = strip(text);
  return stripped === '' ? [] : stripped.split(inner);
}
