/** From the text of an answer to the value of a cell. Pure. */
import { isRecord } from '../api/json.ts';
import type { Place } from '../document/place.ts';
import type { Cell, Column } from './types.ts';

/** An answer to the question of one column. */
export function cellOfText({ type }: Column, text: string, evidence: Place[]): Cell {
  const written = text.trim();
  const value = valueIn(type, written);
  return { value: value ?? written, text: written, correction: null, isDoubtful: value === null, evidence };
}

/** The cells of a JSON answer; null if it is not a JSON object. @param evidence where the value of a name was read */
export function cellsOfJson(
  columns: readonly Column[],
  text: string,
  evidence: (name: string) => Place[],
): Record<string, Cell> | null {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(answer)) return null;
  return Object.fromEntries(
    columns.map(({ id, name }) => {
      const value = answer[name] ?? null;
      return [
        id,
        { value, text: textOf(value), correction: null, isDoubtful: false, evidence: evidence(name) },
      ];
    }),
  );
}

/** The value that a cell shows: the correction, if there is one. */
export function shownValue(cell: Cell | undefined): string {
  return cell === undefined ? '' : (cell.correction ?? cell.text);
}

/** Whether the user should check it: the answer does not have the type of its column, and was not corrected. */
export function needsCheck(cell: Cell | undefined): boolean {
  return cell?.isDoubtful === true && cell.correction === null;
}

/** A value as text for people. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) return value.join('; ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Null if the text is not a value of the type. */
function valueIn(type: Column['type'], text: string): unknown {
  if (type === 'number') return numberIn(text);
  if (type === 'boolean') {
    if (/^(yes|true)\b|^(是|有|对)/i.test(text)) return true;
    return /^(no|false)\b|^(否|没有|无|不)/i.test(text) ? false : null;
  }
  if (type === 'list')
    return text === '' ? [] : text.split(/\s*[;；,，、\n]\s*/).filter((item) => item !== '');
  return text;
}

/**
 * The one number in a text such as `$1,234.50`, `1.234,50 €` or `￥12`; null for none or several. A single separator before three
 * digits separates thousands.
 */
export function numberIn(text: string): number | null {
  const found = text.match(/-?\d[\d.,'\u00a0\u202f ]*/g) ?? [];
  const [first] = found;
  if (first === undefined || found.length > 1) return null;
  const written = first.replace(/[.,\s'\u00a0\u202f]+$/, '').replace(/['\s\u00a0\u202f]/g, '');
  const last = Math.max(written.lastIndexOf('.'), written.lastIndexOf(','));
  if (last < 0) return Number(written);
  const separators = written.replace(/[^.,]/g, '');
  const isThousands =
    new Set(separators).size === 1 && written.length - last - 1 === 3 && !/^-?0[.,]/.test(written);
  const isRepeated = separators.length > 1 && new Set(separators).size === 1;
  const whole = written.slice(0, last).replace(/[.,]/g, '');
  const value =
    isThousands || isRepeated ? written.replace(/[.,]/g, '') : `${whole}.${written.slice(last + 1)}`;
  return Number.isFinite(Number(value)) ? Number(value) : null;
}
