/**
 * VLMEvalKit's TSV files, with the cells that pandas would read. The file is parsed once, when it is opened. The text of
 * its rows stays in memory; images stay in the file and are read one at a time.
 */

import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CogVLM2Error } from '../../errors.ts';
import { textOf } from '../../files/text.ts';
import type { RowSource, SourceRow } from '../row.ts';
import { holdsImage } from './image-cell.ts';
import { Column, uniqueNames } from './pandas-column.ts';

export async function openTsv(path: string): Promise<RowSource> {
  const table = await TsvTable.open(path);
  return {
    async *scan(): AsyncGenerator<SourceRow> {
      for (let number = 0; number < table.rowCount; number++) yield table.rowWithoutImages(number);
    },
    async *read(rowNumbers): AsyncGenerator<SourceRow> {
      for (const rowNumber of rowNumbers) yield await table.row(rowNumber);
    },
    async imageOf(index) {
      const number = table.rowWithIndex(index);
      const row = number === undefined ? 'missing' : await table.row(number);
      return typeof row === 'string' ? undefined : row.image;
    },
    [Symbol.asyncDispose]: () => table[Symbol.asyncDispose](),
  };
}

const [tab, feed, carriage, quote, space] = [0x09, 0x0a, 0x0d, 0x22, 0x20];

export type TsvRow = Record<string, string | null>;

/** A long cell of an image column, which stays in the file. */
interface CellInFile {
  readonly start: number;
  readonly sizeBytes: number;
}

type Cell = string | CellInFile;

/** Shorter cells of image columns are indexes of other rows or file names. */
const minImageCellBytes = 256;
/** A JSON document has the same limit. */
const maxTextBytes = 2 ** 29;

export class TsvTable implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #columns: readonly Column[];
  /** A row with more cells than columns is a text that says so. */
  readonly #rows: readonly (readonly Cell[] | string)[];
  readonly #numberByIndex: ReadonlyMap<string, number>;
  readonly #file: FileHandle;

  private constructor(names: string[], columns: Column[], rows: (Cell[] | string)[], file: FileHandle) {
    this.names = names;
    this.#columns = columns;
    this.#rows = rows;
    this.#file = file;
    const at = names.indexOf('index');
    const numbers = new Map<string, number>();
    for (const [number, row] of rows.entries()) {
      const cell = typeof row === 'string' ? undefined : row[at];
      const index = typeof cell === 'string' ? columns[at]!.read(cell) : null;
      if (index !== null) numbers.set(index, number);
    }
    this.#numberByIndex = numbers;
  }

  /** @throws CogVLM2Error `invalid_value` for text that is not UTF-8, or too long; the system's errors. */
  static async open(path: string, chunkBytes = 2 ** 20): Promise<TsvTable> {
    let names: string[] = [];
    let columns: Column[] = [];
    const rows: (Cell[] | string)[] = [];
    let textBytes = 0;
    for await (const { bytes, start } of tsvRecords(
      createReadStream(path, { highWaterMark: chunkBytes }),
      path,
    )) {
      if (!isUtf8(bytes)) textOf(bytes, `The row at byte ${start} of ${path}`); // Throws.
      const ranges = cellRanges(bytes);
      if (names.length === 0) {
        names = uniqueNames(ranges.map(([from, to]) => cellText(bytes.subarray(from, to))));
        columns = names.map(() => new Column());
        continue;
      }
      if (ranges.length > names.length) {
        rows.push(`has ${ranges.length} cells; the first row names ${names.length}`);
        continue;
      }
      const row = names.map((name, i): Cell => {
        const [from, to] = ranges[i] ?? [0, 0];
        const cell = cellText(bytes.subarray(from, to));
        columns[i]!.see(cell);
        if (holdsImage(name) && to - from >= minImageCellBytes)
          return { start: start + from, sizeBytes: to - from };
        textBytes += to - from;
        return cell;
      });
      if (textBytes > maxTextBytes) throw tooMuchText(path);
      rows.push(row);
    }
    return new TsvTable(names, columns, rows, await open(path, 'r'));
  }

  get rowCount(): number {
    return this.#rows.length;
  }

  /** By its number, from 0, without long cells of image columns. A text says what is wrong with the row. */
  rowWithoutImages(number: number): TsvRow | string {
    const row = this.#rows[number]!;
    if (typeof row === 'string') return row;
    const named = row.flatMap((cell, i): [string, string | null][] =>
      typeof cell === 'string' ? [[this.names[i]!, this.#columns[i]!.read(cell)]] : [],
    );
    return Object.fromEntries(named);
  }

  /** The whole row. */
  async row(number: number): Promise<TsvRow | string> {
    const found = this.rowWithoutImages(number);
    const cells = this.#rows[number]!;
    if (typeof found === 'string' || typeof cells === 'string') return found;
    for (const [i, cell] of cells.entries()) {
      if (typeof cell !== 'string') found[this.names[i]!] = await this.#read(cell);
    }
    return found;
  }

  async #read({ start, sizeBytes }: CellInFile): Promise<string> {
    const { buffer } = await this.#file.read(Buffer.allocUnsafe(sizeBytes), 0, sizeBytes, start);
    return cellText(buffer);
  }

  /** The number of the row whose column `index` has this value. */
  rowWithIndex(index: string): number | undefined {
    return this.#numberByIndex.get(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** Start and end of each cell of a record. A cell that begins with a quote ends at the first tab after its closing quote. */
function cellRanges(bytes: Buffer): [number, number][] {
  const ranges: [number, number][] = [];
  for (let start = 0; ; ) {
    let end = start;
    if (bytes[start] === quote) {
      end = bytes.indexOf(quote, start + 1);
      while (end !== -1 && bytes[end + 1] === quote) end = bytes.indexOf(quote, end + 2);
    }
    end = end === -1 ? -1 : bytes.indexOf(tab, end);
    ranges.push([start, end === -1 ? bytes.length : end]);
    if (end === -1) return ranges;
    start = end + 1;
  }
}

/** Long strings are matched in one step: a loop over single characters would exhaust the engine's stack. */
const quoted = /^"([^"]*(?:""[^"]*)*)"?([\s\S]*)$/;

/** Without the quotes around it, and with doubled quotes as one. */
function cellText(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.startsWith('"')) return text;
  const [, inner = '', rest = ''] = quoted.exec(text)!;
  return inner.replaceAll('""', '"') + rest;
}

function tooMuchText(path: string): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `${path} has more than ${maxTextBytes} bytes beside its images. Write it as JSON lines, one row a line.`,
  );
}

// The records of a TSV file, split as pandas splits them: a cell that begins with a quote may have tabs, line ends and doubled
// quotes; a quote elsewhere is an ordinary character. Works on bytes, chunk by chunk, because the files have gigabytes of
// base64. All characters that matter are ASCII.

type State = 'cell start' | 'cell' | 'quoted' | 'quote in quoted' | 'after return';

interface TsvRecord {
  /** Its first byte in the file. */
  readonly start: number;
  /** Without the line end. */
  readonly bytes: Buffer;
}

/** Limit of a record: after a quote that is never closed, the rest of the file would be one record. */
const maxRecordBytes = 256 * 2 ** 20;

/**
 * All records, without those of empty lines and of lines of spaces.
 * @throws CogVLM2Error `invalid_value` for a record over the limit
 */
async function* tsvRecords(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<TsvRecord> {
  let state: State = 'cell start';
  let parts: Uint8Array[] = [];
  let partBytes = 0;
  let fileBytes = 0;
  let start = 0;
  const finish = (last: Uint8Array): TsvRecord | undefined => {
    const bytes = Buffer.concat([...parts, last]);
    parts = [];
    partBytes = 0;
    const record = start === 0 && hasMark(bytes) ? { start: 3, bytes: bytes.subarray(3) } : { start, bytes };
    return record.bytes.every((byte) => byte === space) ? undefined : record;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (state === 'after return') {
        state = 'cell start';
        if (byte === feed) {
          from = at + 1;
          start = fileBytes + from;
          continue;
        }
      }
      if (byte > quote && state !== 'cell start' && state !== 'quote in quoted') continue;
      if (state === 'quoted') {
        if (byte === quote) state = 'quote in quoted';
      } else if (byte === quote && state !== 'cell') state = 'quoted';
      else if (byte === tab) state = 'cell start';
      else if (byte === feed || byte === carriage) {
        const record = finish(chunk.subarray(from, at));
        if (record !== undefined) yield record;
        state = byte === carriage ? 'after return' : 'cell start';
        from = at + 1;
        start = fileBytes + from;
      } else if (!isMark(fileBytes + at, byte)) state = 'cell';
    }
    parts.push(chunk.subarray(from));
    partBytes += chunk.length - from;
    fileBytes += chunk.length;
    if (partBytes > maxRecordBytes) {
      throw new CogVLM2Error(
        'invalid_value',
        `In ${path} the row that begins at byte ${start} is longer than ${maxRecordBytes} bytes: a quote is probably never closed.`,
      );
    }
  }
  const last = finish(new Uint8Array());
  if (last !== undefined) yield last;
}

const byteOrderMark = [0xef, 0xbb, 0xbf];

/** A quote after the byte order mark still begins a cell. */
function isMark(at: number, byte: number): boolean {
  return at < 3 && byte === byteOrderMark[at];
}

function hasMark(bytes: Buffer): boolean {
  return byteOrderMark.every((byte, i) => bytes[i] === byte);
}
