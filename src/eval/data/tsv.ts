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
import { cellRanges, cellText, tsvRecords } from './tsv-records.ts';

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

function tooMuchText(path: string): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `${path} has more than ${maxTextBytes} bytes beside its images. Write it as JSON lines, one row a line.`,
  );
}
