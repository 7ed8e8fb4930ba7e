/**
 * The cells of a workbook's first sheet as pandas gets them from openpyxl: numbers, already as Python writes them
 * (a whole one without a point, whatever its format), truths, texts, dates as text. Formulas are the values that were
 * saved with them; errors and empty cells are nothing. Rows without a cell are left out.
 */
import { floatRepr } from '../python/float.ts';
import type { Archive } from './archive.ts';
import { dateText } from './dates.ts';
import { RichText } from './rich-text.ts';
import { read, readWorkbook, type Workbook } from './workbook.ts';
import { XlsxError } from './xlsx-error.ts';

export type SheetCell = string | boolean | undefined;

/** Those of the format. */
const maxRows = 2 ** 20;
const maxColumns = 2 ** 14;
/** Eight times the largest sheet of the benchmarks (MMMU, test); a few cells can span far more. */
const maxSpan = 2 ** 21;

/** @throws XlsxError; Error for what is not XML. */
export async function readSheet(archive: Archive): Promise<SheetCell[][]> {
  const workbook = await readWorkbook(archive);
  const rows: SheetCell[][] = [];
  const inline = new RichText();
  let width = 0;
  let row: SheetCell[] = [];
  let column = -1;
  let cell: Readonly<Record<string, string>> = {};
  let value: string | undefined;
  let inValue = false;
  await read(archive, workbook.sheet, {
    open(name, attributes) {
      inline.open(name);
      inValue = name === 'v';
      if (inValue) value = '';
      else if (name === 'row') {
        row = [];
        column = -1;
      } else if (name === 'c') {
        cell = attributes;
        column = columnOf(attributes.r) ?? column + 1;
        value = undefined;
        if (column >= maxColumns) throw new XlsxError(`a row of it has more than ${maxColumns} cells`);
      }
    },
    text(text) {
      inline.add(text);
      if (inValue) value += text;
    },
    close(name) {
      inline.close(name);
      inValue = false;
      if (name === 'is') value = inline.take();
      else if (name === 'c') {
        const read = value ? cellValue(value, cell, workbook) : undefined;
        if (read !== undefined) row[column] = read;
      } else if (name === 'row' && row.length > 0) {
        width = Math.max(width, row.length);
        if (rows.push(row) > maxRows) throw new XlsxError(`it has more than ${maxRows} rows`);
        if (rows.length * width > maxSpan) throw new XlsxError(`it spans more than ${maxSpan} cells`);
      }
    },
  });
  return rows;
}

/** "AB12" is 27. */
function columnOf(place: string | undefined): number | undefined {
  const letters = /^[A-Z]{1,3}(?=\d)/.exec(place ?? '')?.[0];
  if (letters === undefined) return undefined;
  return [...letters].reduce((column, letter) => column * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

function cellValue(
  value: string,
  { t: type = 'n', s: style = '' }: Readonly<Record<string, string>>,
  { strings, isDate, since1904 }: Workbook,
): SheetCell {
  if (type === 's') return sharedString(value, strings);
  if (type === 'b') return value.trim() === '1';
  if (type === 'e') return undefined;
  if (type === 'd') return value.replace('T', ' ');
  if (type !== 'n') return value;
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number)) return value;
  return isDate[Number(style)] === true ? dateText(number, since1904) : numberText(value.trim(), number);
}

function sharedString(number: string, strings: readonly string[]): string {
  const text = strings[Number(number)];
  if (text !== undefined) return text;
  throw new XlsxError(`a cell asks for text number ${number}; it has ${strings.length}, from 0`);
}

function numberText(digits: string, number: number): string {
  if (/^[+-]?\d+$/.test(digits)) return String(BigInt(digits.replace('+', '')));
  return Number.isInteger(number) && Math.abs(number) < 2 ** 63 ? String(BigInt(number)) : floatRepr(number);
}
