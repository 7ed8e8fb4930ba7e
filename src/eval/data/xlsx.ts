/**
 * VLMEvalKit's prediction sheets: the first sheet of a workbook, with names in its first row and cells as pandas' `read_excel`
 * reads them. The sheet has no images and is kept in memory, because the type of a cell depends on its whole column.
 */

import path from 'node:path/posix';
import { CogVLM2Error } from '../../errors.ts';
import { floatRepr } from '../python/values.ts';
import type { Row, RowSource, SourceRow } from '../row.ts';
import { Column, isNumeric, uniqueNames } from './pandas-column.ts';
import { Archive, readXml, withoutPrefix, XlsxError, type XmlListener } from './xlsx-archive.ts';

export async function openXlsx(path: string): Promise<RowSource> {
  const [first = [], ...cells] = await readCells(path);
  const width = cells.reduce((width, { length }) => Math.max(width, length), first.length);
  const names = uniqueNames(Array.from({ length: width }, (_, i) => String(first[i] ?? `Unnamed: ${i}`)));
  const rows: Record<string, string | null>[] = cells.map(() => ({}));
  for (const [i, name] of names.entries()) {
    for (const [rowNumber, value] of readColumn(cells.map((row) => row[i])).entries())
      rows[rowNumber]![name] = value;
  }
  async function* read(rowNumbers: Iterable<number>): AsyncGenerator<SourceRow> {
    for (const rowNumber of rowNumbers) yield rows[rowNumber] as Row;
  }
  return { scan: () => read(rows.keys()), read, [Symbol.asyncDispose]: async () => {} };
}

async function readCells(path: string): Promise<SheetCell[][]> {
  try {
    using archive = await Archive.open(path);
    return await readSheet(archive);
  } catch (cause) {
    const why = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '');
    throw new CogVLM2Error('invalid_value', `${path} cannot be read as an .xlsx workbook: ${why}.`, {
      cause,
    });
  }
}

/** A boolean in a column of numbers or missing values is 1 or 0. */
function readColumn(cells: readonly SheetCell[]): (string | null)[] {
  const booleans = cells.filter((cell) => typeof cell === 'boolean').length;
  const areNumbers =
    booleans > 0 &&
    booleans < cells.length &&
    cells.every((cell) => typeof cell !== 'string' || isNumeric(cell));
  const [yes, no] = areNumbers ? ['1', '0'] : ['True', 'False'];
  const texts = cells.map((cell) => (typeof cell === 'boolean' ? (cell ? yes : no) : (cell ?? '')));
  const column = new Column();
  for (const text of texts) column.see(text);
  return texts.map((text) => column.read(text));
}

/** A number is a text as Python writes it. Undefined: an empty cell or an error. */
type SheetCell = string | boolean | undefined;

/** Limits of the format. */
const maxRows = 2 ** 20;
const maxColumns = 2 ** 14;
/** Eight times the largest sheet of the benchmarks (MMMU, test). A few cells far apart would otherwise span more. */
const maxSpan = 2 ** 21;

/**
 * The cells of the first sheet as pandas gets them from openpyxl: integers without a decimal point whatever their format, dates
 * as text, the saved values of formulas. Rows without cells are left out.
 * @throws XlsxError; Error for text that is not XML.
 */
async function readSheet(archive: Archive): Promise<SheetCell[][]> {
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
function columnOf(reference: string | undefined): number | undefined {
  const letters = /^[A-Z]{1,3}(?=\d)/.exec(reference ?? '')?.[0];
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
  throw new XlsxError(`a cell refers to text ${number}; there are ${strings.length}, from 0`);
}

function numberText(digits: string, number: number): string {
  if (/^[+-]?\d+$/.test(digits)) return String(BigInt(digits.replace('+', '')));
  return Number.isInteger(number) && Math.abs(number) < 2 ** 63 ? String(BigInt(number)) : floatRepr(number);
}

/** What is needed to read the first sheet. */
interface Workbook {
  /** Name of the part of the archive. */
  readonly sheet: string;
  /** Texts of string cells, which have the number of their text. */
  readonly strings: readonly string[];
  /** Whether numbers of a style are dates, by the number of the style. */
  readonly isDate: readonly boolean[];
  /** Days count from 1904 instead of 1900. */
  readonly since1904: boolean;
}

interface Link {
  readonly id: string;
  /** The last component of its URI. */
  readonly type: string;
  readonly target: string;
}

/** @throws XlsxError if parts are missing. */
async function readWorkbook(archive: Archive): Promise<Workbook> {
  const main = (await linksOf(archive, '')).find(({ type }) => type === 'officeDocument')?.target;
  if (main === undefined) throw new XlsxError('it has no workbook');
  const sheetIds: string[] = [];
  let since1904 = false;
  await read(archive, main, {
    open(name, attributes) {
      if (name === 'workbookPr') since1904 = /^(?:1|true)$/.test(attributes.date1904 ?? '');
      const id = Object.keys(attributes).find((key) => key !== 'id' && withoutPrefix(key) === 'id');
      if (name === 'sheet' && id !== undefined) sheetIds.push(attributes[id]!);
    },
  });
  const links = await linksOf(archive, main);
  // Like pandas, skip sheets that are charts.
  const sheets = sheetIds.map((sheet) => links.find(({ id, type }) => id === sheet && type === 'worksheet'));
  const sheet = sheets.find((link) => link !== undefined)?.target;
  if (sheet === undefined) throw new XlsxError('it has no sheet of cells');
  const partOf = (kind: string) => links.find(({ type }) => type === kind)?.target;
  return {
    sheet,
    strings: await stringsIn(archive, partOf('sharedStrings')),
    isDate: await dateStylesIn(archive, partOf('styles')),
    since1904,
  };
}

/** @throws XlsxError if the archive has no such part. */
async function read(archive: Archive, part: string, listener: XmlListener): Promise<void> {
  const chunks = await archive.part(part);
  if (chunks === undefined) throw new XlsxError(`it lacks ${part}`);
  await readXml(chunks, listener);
}

/** The parts that a part refers to; '' is the archive itself. */
async function linksOf(archive: Archive, part: string): Promise<Link[]> {
  const links: Link[] = [];
  const folder = path.dirname(part);
  await read(archive, path.join(folder, '_rels', `${path.basename(part)}.rels`), {
    open(name, { Id: id, Type: type, Target: target }) {
      if (name !== 'Relationship' || !id || !type || !target) return;
      const inArchive = target.startsWith('/') ? target.slice(1) : path.join(folder, target);
      links.push({ id, type: type.slice(type.lastIndexOf('/') + 1), target: inArchive });
    },
  });
  return links;
}

async function stringsIn(archive: Archive, part: string | undefined): Promise<string[]> {
  const strings: string[] = [];
  const text = new RichText();
  if (part === undefined) return strings;
  await read(archive, part, {
    open: (name) => text.open(name),
    text: (added) => text.add(added),
    close(name) {
      text.close(name);
      // As in openpyxl: other escaped characters ("_x000D_") stay as they are.
      if (name === 'si') strings.push(text.take().replaceAll('x005F_', ''));
    },
  });
  return strings;
}

async function dateStylesIn(archive: Archive, part: string | undefined): Promise<boolean[]> {
  const formats = new Map<string, string>();
  const isDate: boolean[] = [];
  let inCells = false;
  if (part === undefined) return isDate;
  await read(archive, part, {
    open(name, { numFmtId = '0', formatCode = '' }) {
      if (name === 'numFmt') formats.set(numFmtId, formatCode);
      else if (name === 'cellXfs') inCells = true;
      else if (name === 'xf' && inCells) isDate.push(isDateFormat(Number(numFmtId), formats.get(numFmtId)));
    },
    close(name) {
      if (name === 'cellXfs') inCells = false;
    },
  });
  return isDate;
}

/** Collects the text of a string cell from its runs of different fonts. Phonetic text (`rPh`) is left out. */
class RichText {
  #text = '';
  #inText = false;
  #phoneticDepth = 0;

  open(name: string): void {
    if (name === 'rPh') this.#phoneticDepth += 1;
    this.#inText = name === 't' && this.#phoneticDepth === 0;
  }

  add(text: string): void {
    if (this.#inText) this.#text += text;
  }

  close(name: string): void {
    if (name === 'rPh') this.#phoneticDepth -= 1;
    this.#inText = false;
  }

  /** The text so far. The next text begins empty. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}

/** The built-in formats of dates and times (ECMA-376, 18.8.30). */
function isBuiltIn(id: number): boolean {
  return (id >= 14 && id <= 22) || id === 45 || id === 47;
}

/** Whether a format shows a number of days as a date or time. Durations (`[h]:mm`) stay numbers. */
function isDateFormat(id: number, code: string | undefined): boolean {
  if (code === undefined) return isBuiltIn(id);
  if (/\[(?:h+|m+|s+)\]/i.test(code)) return false;
  const [positive = ''] = code.replace(/"[^"]*"|\\.|[_*].|\[[^\]]*\]/g, '').split(';');
  return !/general/i.test(positive) && /[dmhys]/i.test(positive);
}

const dayMs = 86_400_000;

/** "2024-01-02 03:04:05", as Python writes what openpyxl reads; "03:04:05" for a time without a date. */
function dateText(days: number, since1904: boolean): string {
  // Excel counts a 29 February 1900, which did not exist.
  const shift = !since1904 && days > 0 && days < 60 ? 1 : 0;
  const start = since1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, 30);
  const date = new Date(start + Math.round((days + shift) * dayMs));
  if (Number.isNaN(date.getTime())) return String(days);
  const [day, time] = date.toISOString().slice(0, -1).split('T') as [string, string];
  const seconds = time.endsWith('.000') ? time.slice(0, -4) : `${time}000`;
  return days >= 0 && days < 1 ? seconds : `${day} ${seconds}`;
}
