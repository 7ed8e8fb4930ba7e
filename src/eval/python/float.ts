/** `float(text)` and `repr(float)` as Python does them; `Number()` disagrees on "", "0x10", "1_000" and "１０". */
import { strip } from './whitespace.ts';

/** A number that was written with a point or an exponent, so that 42.0 is not shown as 42. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

const digits = '[0-9](?:_?[0-9])*';
const finite = new RegExp(`^[+-]?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:[eE][+-]?${digits})?$`);

/** White space for `strip` and for nothing in float(). */
const separators = ['\x1c', '\x1d', '\x1e', '\x1f'];

/** `undefined` where Python raises ValueError. */
export function parseFloatAsPython(text: string): number | undefined {
  if (separators.some((separator) => text.includes(separator))) return undefined;
  const plain = asciiDigits(strip(text));
  if (finite.test(plain)) return Number(plain.replaceAll('_', ''));
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(plain);
  if (special === null) return undefined;
  if (special[2]!.toLowerCase() === 'nan') return Number.NaN;
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Every decimal digit of Unicode as its ASCII digit: they come in runs of ten (or of five times ten) from 0 on. */
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

/** Shortest digits that read back as the same number; an exponent below 1e-4 and from 1e16 on. */
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
