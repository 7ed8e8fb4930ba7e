/**
 * A TSV file by rows and column names, with the cells that pandas would read. Opening goes over it once, for what
 * pandas knows of whole columns and for where the rows lie; after that any row is read by itself.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { textOf } from '../../files/utf8.ts';
import { Column } from './column.ts';
import { cellsOf, tsvRecords } from './records.ts';

export type TsvRow = Record<string, string | null>;

interface Place {
  readonly start: number;
  readonly sizeBytes: number;
  /** More cells than there are columns. */
  readonly tooWide?: string;
}

export class TsvTable implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #columns: readonly Column[];
  readonly #places: readonly Place[];
  readonly #file: FileHandle;
  readonly #indexes: ReadonlyMap<string, number>;

  private constructor(
    names: string[],
    columns: Column[],
    places: Place[],
    indexes: string[],
    file: FileHandle,
  ) {
    this.names = names;
    this.#columns = columns;
    this.#places = places;
    this.#file = file;
    const column = columns[names.indexOf('index')];
    this.#indexes = new Map(indexes.map((cell, row) => [column?.read(cell) ?? cell, row]));
  }

  /** @throws RangeError for a record that is too long; CogVLM2Error for one that is not UTF-8; the system's errors. */
  static async open(path: string, chunkBytes = 2 ** 20): Promise<TsvTable> {
    let names: string[] = [];
    let columns: Column[] = [];
    const places: Place[] = [];
    const indexes: string[] = [];
    for await (const record of tsvRecords(createReadStream(path, { highWaterMark: chunkBytes }))) {
      const cells = cellsOf(textOf(record.bytes, `The row at byte ${record.start} of ${path}`));
      if (names.length === 0) {
        names = uniqueNames(cells);
        columns = names.map(() => new Column());
        continue;
      }
      const place = { start: record.start, sizeBytes: record.bytes.length };
      indexes.push(cells[names.indexOf('index')] ?? '');
      if (cells.length > names.length) {
        places.push({ ...place, tooWide: `has ${cells.length} cells; the first row names ${names.length}` });
        continue;
      }
      places.push(place);
      for (const [i, column] of columns.entries()) column.see(cells[i] ?? '');
    }
    return new TsvTable(names, columns, places, indexes, await open(path, 'r'));
  }

  get rowCount(): number {
    return this.#places.length;
  }

  /** By its number, from 0; a text says what is wrong with it. */
  async row(number: number): Promise<TsvRow | string> {
    const { start, sizeBytes, tooWide } = this.#places[number]!;
    if (tooWide !== undefined) return tooWide;
    const { buffer } = await this.#file.read(Buffer.allocUnsafe(sizeBytes), 0, sizeBytes, start);
    const cells = cellsOf(buffer.toString('utf8'));
    return Object.fromEntries(this.names.map((name, i) => [name, this.#columns[i]!.read(cells[i] ?? '')]));
  }

  /** The number of the row that has this in its column `index`. */
  rowWithIndex(index: string): number | undefined {
    return this.#indexes.get(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** A second "a" is called "a.1". */
export function uniqueNames(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count === 0 ? name : `${name}.${count}`;
  });
}
