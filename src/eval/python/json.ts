/**
 * JSON as Python's reader takes it: 42.0 stays a float (its text is "42.0"), whole numbers keep every digit, and
 * NaN and Infinity, which Python writes, are read.
 */
import { PythonFloat } from './float.ts';

/** A text is as long as a picture may be: a loop over single characters would run out of the expression's own memory. */
const token = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|-?Infinity|NaN|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g;
const key = '\u0000number';

/** Throws the SyntaxError of JSON.parse where the text is not JSON. */
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
