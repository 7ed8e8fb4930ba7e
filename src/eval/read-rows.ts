/** Predictions from anywhere, as rows: a file of `eval run`, a JSON list, JSON lines, or a table (TSV, parquet). */
import { readFile } from 'node:fs/promises';
import { CogVLM2Error } from '../errors.ts';
import { openSource } from './data/source.ts';
import { linesOf } from './lines.ts';
import type { Header } from './prediction.ts';
import { headerSchema } from './prediction.ts';
import { isAnswer, readPredictions } from './prediction-file.ts';
import { parseJsonAsPython } from './python/json.ts';

export interface ReadRows {
  readonly rows: readonly unknown[];
  /** Where `eval run` wrote the file. */
  readonly header: Header | null;
}

/** @throws CogVLM2Error `file_not_found`, `invalid_value`. */
export async function readRows(file: string): Promise<ReadRows> {
  const first = await firstLine(file);
  if (headerSchema.safeParse(parseLine(first)).success) {
    const { header, lines } = await readPredictions(file);
    const rows = lines.map((line) =>
      isAnswer(line) ? line : { ...line, id: line.id, error: line.error.message },
    );
    return { header, rows };
  }
  if (/^[\uFEFF\s]*(?:[[{]|$)/.test(first))
    return { header: null, rows: parseRows(await readFile(file, 'utf8'), file) };
  await using source = await openSource(file);
  const rows: unknown[] = [];
  for await (const row of source.scan()) rows.push(row);
  return { header: null, rows };
}

async function firstLine(file: string): Promise<string> {
  try {
    for await (const { text } of linesOf(file)) return text;
    return '';
  } catch (cause) {
    throw new CogVLM2Error('file_not_found', `cannot read ${file}`, { cause });
  }
}

function parseRows(text: string, file: string): unknown[] {
  try {
    if (/^[\uFEFF\s]*\[/.test(text)) return parseJsonAsPython(text) as unknown[];
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return lines.length === 1 ? lines.map(parseJsonAsPython) : lines.map(parseLine);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${file} is neither a JSON list nor JSON lines: ${reason}`;
    throw new CogVLM2Error('invalid_value', message, { cause });
  }
}

/** A line that a killed run left half is a broken row, not a broken file. */
function parseLine(line: string): unknown {
  try {
    return parseJsonAsPython(line);
  } catch {
    return undefined;
  }
}
