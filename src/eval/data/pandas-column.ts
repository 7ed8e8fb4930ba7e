/**
 * The cells of a column as pandas reads them. Some words are missing values. A column of nothing but numbers becomes
 * numbers, so "5" beside "7.0" is read as "5.0", and "010" as "10". An integer beyond 64 bits keeps its digits; a column
 * with such an integer and decimals stays text. Call `see` for all cells first, then `read`.
 */
import { floatRepr } from '../python/values.ts';

const missing = new Set(
  `#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null|`.split(
    '|',
  ),
);
const maxMissingLength = 9;
const whole = /^[ \t]*[+-]?[0-9]+[ \t]*$/;
const decimal = /^[ \t]*[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?)[ \t]*$/i;
const truth = /^(?:True|TRUE|true|False|FALSE|false)$/;
const largestInt = 2n ** 64n - 1n;

export class Column {
  #whole = true;
  #decimal = true;
  #truth = true;
  #someMissing = false;
  #someHuge = false;

  see(cell: string): void {
    if (isMissing(cell)) {
      this.#someMissing = true;
      return;
    }
    this.#decimal &&= decimal.test(cell);
    this.#whole &&= whole.test(cell);
    this.#someHuge ||= cell.length >= 19 && cell.length < 100 && whole.test(cell) && isHuge(cell);
    this.#truth &&= truth.test(cell);
  }

  /** The text of Python's `str(value)`; null for a missing value. */
  read(cell: string): string | null {
    if (isMissing(cell)) return null;
    if (this.#whole && !this.#someMissing) return String(BigInt(digits(cell)));
    if (this.#decimal && !this.#someHuge) return floatRepr(asNumber(cell));
    if (this.#truth) return cell.toLowerCase() === 'true' ? 'True' : 'False';
    return cell;
  }
}

/** Whether a column with this cell can be a column of numbers. */
export function isNumeric(cell: string): boolean {
  return isMissing(cell) || decimal.test(cell);
}

/** The cell of an image is too long to be hashed. */
function isMissing(cell: string): boolean {
  return cell.length <= maxMissingLength && missing.has(cell);
}

function digits(cell: string): string {
  return cell.trim().replace(/^\+/, '');
}

function isHuge(cell: string): boolean {
  return BigInt(digits(cell)) > largestInt;
}

function asNumber(cell: string): number {
  const text = digits(cell);
  if (!/inf/i.test(text)) return Number(text);
  return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Names of columns: the second "a" is called "a.1". */
export function uniqueNames(names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return names.map((name) => {
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}.${count}`;
  });
}
