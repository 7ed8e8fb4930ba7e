/**
 * Parses Python literals (strings, numbers, True, False, None, lists, tuples), as in the answer cells of the data sets, and
 * JSON as Python's parser reads it. Nothing is evaluated: names, sums, dictionaries and sets are not literals and stay text.
 */
import { PythonFloat, PythonTuple, type PythonValue } from './values.ts';

/** `undefined` for a text that is not a literal; `null` for None. */
export function parseLiteral(text: string): PythonValue | undefined {
  const cursor: Cursor = { text, at: 0 };
  try {
    const value = readValue(cursor);
    skip(cursor, space);
    return cursor.at === text.length ? value : undefined;
  } catch (error) {
    if (error instanceof NotALiteral) return undefined;
    throw error;
  }
}

/** The elements of a list literal; `undefined` for a text that is not a list. */
export function parseListLiteral(text: string): readonly PythonValue[] | undefined {
  if (!/^[ \t\f\r\n]*\[/.test(text)) return undefined;
  const value = parseLiteral(text);
  return Array.isArray(value) ? value : undefined;
}

interface Cursor {
  readonly text: string;
  at: number;
}

class NotALiteral extends Error {}

const maxDepth = 50;
/** Comments and continued lines count as space, as in Python. */
const space = /(?:[ \t\f\r\n]|#[^\r\n]*|\\\r?\n)*/y;
const int =
  /(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?0)*|[1-9](?:_?[0-9])*)(?![\w.])/y;
const float =
  /(?:[0-9](?:_?[0-9])*\.(?:[0-9](?:_?[0-9])*)?|\.[0-9](?:_?[0-9])*|[0-9](?:_?[0-9])*(?=[eE]))(?:[eE][+-]?[0-9](?:_?[0-9])*)?(?![\w.])/y;
const name = /(?:True|False|None)(?!\w)/y;
const textStart = /([rRuU]?)('''|"""|'|")/y;

function readValue(cursor: Cursor, depth = 0): PythonValue {
  if (depth > maxDepth) throw new NotALiteral();
  skip(cursor, space);
  const next = cursor.text[cursor.at];
  if (next === '[' || next === '(') return readItems(cursor, next, depth);
  const word = take(cursor, name);
  if (word !== undefined) return word === 'None' ? null : word === 'True';
  if (next === '-' || next === '+') {
    cursor.at += 1;
    skip(cursor, space);
    return readNumber(cursor, next === '-');
  }
  return readTexts(cursor) ?? readNumber(cursor, false);
}

function readItems(cursor: Cursor, open: '[' | '(', depth: number): PythonValue {
  const close = open === '[' ? ']' : ')';
  const items: PythonValue[] = [];
  let comma = false;
  cursor.at += 1;
  for (;;) {
    skip(cursor, space);
    if (cursor.text[cursor.at] === close) break;
    if (items.length > 0 && !comma) throw new NotALiteral();
    items.push(readValue(cursor, depth + 1));
    skip(cursor, space);
    comma = cursor.text[cursor.at] === ',';
    if (comma) cursor.at += 1;
  }
  cursor.at += 1;
  if (open === '[') return items;
  return items.length === 1 && !comma ? items[0]! : new PythonTuple(items);
}

function readNumber(cursor: Cursor, negative: boolean): PythonValue {
  const fraction = take(cursor, float);
  if (fraction !== undefined) {
    const value = Number(fraction.replaceAll('_', ''));
    return new PythonFloat(negative ? -value : value);
  }
  const whole = take(cursor, int);
  if (whole === undefined) throw new NotALiteral();
  const value = BigInt(whole.replaceAll('_', ''));
  return negative ? -value : value;
}

/** One string, or several adjacent strings, which Python concatenates. */
function readTexts(cursor: Cursor): string | undefined {
  let joined: string | undefined;
  for (let start = match(cursor, textStart); start !== undefined; start = match(cursor, textStart)) {
    cursor.at += start[0].length;
    joined = (joined ?? '') + readText(cursor, start[2]!, start[1]!.toLowerCase() === 'r');
    skip(cursor, space);
  }
  return joined;
}

function readText(cursor: Cursor, quote: string, raw: boolean): string {
  let value = '';
  while (!cursor.text.startsWith(quote, cursor.at)) {
    const character = cursor.text[cursor.at];
    if (character === undefined || (quote.length === 1 && /[\r\n]/.test(character))) throw new NotALiteral();
    if (character === '\\') value += readEscape(cursor, raw);
    else {
      value += character;
      cursor.at += 1;
    }
  }
  cursor.at += quote.length;
  return value;
}

const escapeSequence = /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/y;
const named: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** An unknown escape sequence is not changed and keeps its backslash. */
function readEscape(cursor: Cursor, raw: boolean): string {
  const found = match(cursor, escapeSequence);
  if (found === undefined) throw new NotALiteral();
  if (raw) {
    cursor.at += 2;
    return cursor.text.slice(cursor.at - 2, cursor.at);
  }
  cursor.at += found[0].length;
  const [whole, octal, byte, unit, point, letter] = found;
  if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
  const hex = byte ?? unit ?? point;
  if (hex !== undefined) {
    const codePoint = Number.parseInt(hex, 16);
    if (codePoint > 0x10ffff) throw new NotALiteral();
    return String.fromCodePoint(codePoint);
  }
  if ('xuUN'.includes(letter!)) throw new NotALiteral();
  return named[letter!] ?? whole;
}

function match(cursor: Cursor, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = cursor.at;
  return pattern.exec(cursor.text) ?? undefined;
}

function take(cursor: Cursor, pattern: RegExp): string | undefined {
  const found = match(cursor, pattern)?.[0];
  if (found !== undefined) cursor.at += found.length;
  return found;
}

function skip(cursor: Cursor, pattern: RegExp): void {
  take(cursor, pattern);
}

/** Long strings are matched in one step: a loop over single characters would exhaust the engine's stack. */
const token = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|-?Infinity|NaN|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g;
const key = '\u0000number';

/**
 * JSON as Python's parser reads it: 42.0 stays a float, integers keep all digits, and NaN and Infinity are accepted.
 * @throws SyntaxError for a text that is not JSON.
 */
export function parseJsonAsPython(text: string): unknown {
  const marked = text.replace(/^\uFEFF/, '').replace(token, (found) => {
    if (found.startsWith('"') || (/^-?[0-9]{1,15}$/.test(found) && found !== '-0')) return found;
    return `{${JSON.stringify(key)}:"${found}"}`;
  });
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(key in value)) return value;
    const number = String(value[key]);
    if (/^-?(?:0|[1-9][0-9]*)$/.test(number)) return BigInt(number);
    if (/^-?0[0-9]/.test(number)) throw new SyntaxError(`${number} is not a JSON number`);
    return new PythonFloat(Number(number));
  });
}
