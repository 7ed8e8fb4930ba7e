/** Predictions from anywhere, as rows: a file of `eval run`, a JSON list, JSON lines, or a table (TSV, xlsx, parquet). */
import { CogVLM2Error } from '../errors.ts';
import { checkInputFile } from '../files/input-file.ts';
import { parseJson } from '../files/json.ts';
import { firstBytes, openSource } from './data/source.ts';
import { type Header, headerSchema } from './prediction.ts';
import { isAnswer, readPredictions } from './prediction-file.ts';
import type { Row } from './row.ts';

export interface ReadRows {
  /** A row that cannot be read has an `error`, which says why. */
  readonly rows: readonly Row[];
  /** Where `eval run` wrote the file. */
  readonly header: Header | null;
}

/** @throws CogVLM2Error `file_not_found`; `invalid_value`, also where there is no row. */
export async function readRows(file: string): Promise<ReadRows> {
  checkInputFile(file);
  const read = await readAny(file);
  if (read.rows.length > 0) return read;
  throw new CogVLM2Error(
    'invalid_value',
    `There are no predictions in ${file}: nothing to score or to export.`,
  );
}

async function readAny(file: string): Promise<ReadRows> {
  if (await beginsWithHeader(file)) {
    const { header, lines } = await readPredictions(file);
    const rows = lines.map((line) =>
      isAnswer(line) ? line : { ...line, id: line.id, error: line.error.message },
    );
    return { header, rows };
  }
  await using source = await openSource(file);
  const rows: Row[] = [];
  for await (const row of source.scan()) rows.push(typeof row === 'string' ? { error: row } : row);
  return { header: null, rows };
}

async function beginsWithHeader(file: string): Promise<boolean> {
  const [line] = (await firstBytes(file)).toString('utf8').split('\n', 1);
  try {
    return headerSchema.safeParse(parseJson(line!, file)).success;
  } catch {
    return false;
  }
}
