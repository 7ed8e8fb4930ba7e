/** Rows of a TSV file by column name, with the cells that pandas would read. Goes over the file twice. */
import { CogVLM2Error } from '../../errors.ts';
import { Column } from './column.ts';
import { tsvRecords } from './records.ts';

export type TsvRow = Record<string, string | null>;

/** `open` gives the text of the file from its start each time it is called. */
export function* tsvRows(open: () => Iterable<string>): Generator<TsvRow> {
  const columns: Column[] = [];
  for (const [line, record] of numbered(tsvRecords(open()))) {
    if (line === 1) columns.push(...record.map(() => new Column()));
    else checkWidth(record, columns.length, line);
    if (line > 1) for (const [i, column] of columns.entries()) column.see(record[i] ?? '');
  }
  let names: string[] = [];
  for (const [line, record] of numbered(tsvRecords(open()))) {
    if (line === 1) names = uniqueNames(record);
    else yield Object.fromEntries(names.map((name, i) => [name, columns[i]!.read(record[i] ?? '')]));
  }
}

function* numbered<Item>(items: Iterable<Item>): Generator<[number, Item]> {
  let number = 0;
  for (const item of items) {
    number += 1;
    yield [number, item];
  }
}

function checkWidth(record: readonly string[], columns: number, line: number): void {
  if (record.length <= columns) return;
  throw new CogVLM2Error(
    'invalid_value',
    `row ${line} has ${record.length} cells; the first row names ${columns}`,
  );
}

/** A second "a" is called "a.1". */
function uniqueNames(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count === 0 ? name : `${name}.${count}`;
  });
}
