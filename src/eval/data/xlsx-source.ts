/**
 * VLMEvalKit's prediction sheets: the first sheet of a workbook, names in its first row, its cells as pandas' read_excel
 * makes them. All of it is held, because only whole columns say what their cells are; it has no pictures in it.
 */
import { CogVLM2Error } from '../../errors.ts';
import type { Row } from '../row.ts';
import { Column, isNumeric } from '../tsv/column.ts';
import { uniqueNames } from '../tsv/table.ts';
import { Archive } from '../xlsx/archive.ts';
import { readSheet, type SheetCell } from '../xlsx/sheet.ts';
import type { RowSource, SourceRow } from './row-source.ts';

export async function openXlsx(path: string): Promise<RowSource> {
  const [first = [], ...cells] = await readCells(path);
  const width = cells.reduce((width, { length }) => Math.max(width, length), first.length);
  const names = uniqueNames(Array.from({ length: width }, (_, i) => String(first[i] ?? `Unnamed: ${i}`)));
  const rows: Record<string, string | null>[] = cells.map(() => ({}));
  for (const [i, name] of names.entries()) {
    for (const [place, value] of readColumn(cells.map((row) => row[i])).entries()) rows[place]![name] = value;
  }
  async function* read(places: Iterable<number>): AsyncGenerator<SourceRow> {
    for (const place of places) yield rows[place] as Row;
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

/** A truth beside numbers or missing values, and nothing else, is 1 or 0. */
function readColumn(cells: readonly SheetCell[]): (string | null)[] {
  const truths = cells.filter((cell) => typeof cell === 'boolean').length;
  const areNumbers =
    truths > 0 && truths < cells.length && cells.every((cell) => typeof cell !== 'string' || isNumeric(cell));
  const [yes, no] = areNumbers ? ['1', '0'] : ['True', 'False'];
  const texts = cells.map((cell) => (typeof cell === 'boolean' ? (cell ? yes : no) : (cell ?? '')));
  const column = new Column();
  for (const text of texts) column.see(text);
  return texts.map((text) => column.read(text));
}
