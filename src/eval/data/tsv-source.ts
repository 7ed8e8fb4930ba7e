/** VLMEvalKit's TSV files: pictures are base64 in a cell, or the index of the row that has them. */
import { CogVLM2Error } from '../../errors.ts';
import { TsvTable } from '../tsv/table.ts';
import type { RowSource, SourceRow } from './row-source.ts';

export async function openTsv(path: string): Promise<RowSource> {
  const table = await openTable(path);
  async function* read(places: Iterable<number>): AsyncGenerator<SourceRow> {
    for (const place of places) yield await table.row(place);
  }
  return {
    scan: () => read(Array(table.rowCount).keys()),
    read,
    async pictureOf(index) {
      const place = table.rowWithIndex(index);
      const row = place === undefined ? 'missing' : await table.row(place);
      return typeof row === 'string' ? undefined : row.image;
    },
    [Symbol.asyncDispose]: () => table[Symbol.asyncDispose](),
  };
}

async function openTable(path: string): Promise<TsvTable> {
  try {
    return await TsvTable.open(path);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CogVLM2Error(
      'invalid_value',
      `In ${path} ${cause.message}: a quote is probably never closed.`,
      { cause },
    );
  }
}
