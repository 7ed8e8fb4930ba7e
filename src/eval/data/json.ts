/**
 * JSON lines, which are read line by line, and the JSON files of the benchmarks, which are small because they have paths of
 * images: a list of rows, `{"data": [...]}` (TextVQA, DocVQA), or an object of rows by id (MM-Vet).
 */

import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { linesOf } from '../../files/text.ts';
import { parseJsonAsPython } from '../python/parse.ts';
import { isRow, type Row, type RowSource, type SourceRow } from '../row.ts';

/** @param mayBeLines false for a file that begins with a list, whose only line may be too long for memory */
export async function openJson(file: string, mayBeLines: boolean): Promise<RowSource> {
  const rows = mayBeLines && (await isLines(file)) ? undefined : rowsOf(await readWhole(file), file);
  async function* scan(): AsyncGenerator<SourceRow> {
    if (rows !== undefined) yield* rows;
    else for await (const line of rowLines(file)) yield parseRow(line);
  }
  async function* read(rowNumbers: readonly number[]): AsyncGenerator<SourceRow> {
    if (rows !== undefined) {
      for (const rowNumber of rowNumbers) yield rows[rowNumber]!;
      return;
    }
    const wanted = new Set(rowNumbers);
    let rowNumber = 0;
    for await (const line of rowLines(file)) {
      if (wanted.has(rowNumber)) yield parseRow(line);
      rowNumber += 1;
    }
  }
  return { scan, read, [Symbol.asyncDispose]: async () => {} };
}

async function* rowLines(file: string): AsyncGenerator<string> {
  for await (const { text } of linesOf(file)) if (text.trim() !== '') yield text;
}

function parseRow(line: string): SourceRow {
  try {
    const value = parseJsonAsPython(line);
    return isRow(value) ? value : 'is not a JSON object';
  } catch {
    return 'is not JSON';
  }
}

/** Whether the first line is an object and more lines follow. */
async function isLines(file: string): Promise<boolean> {
  let seen = 0;
  for await (const line of rowLines(file)) {
    if (seen === 0 && !(line.trimStart().startsWith('{') && line.trimEnd().endsWith('}'))) return false;
    seen += 1;
    if (seen === 2) return true;
  }
  return path.extname(file) === '.jsonl';
}

const maxBytes = 2 ** 29 - 2 ** 20;

async function readWhole(file: string): Promise<unknown> {
  const { size } = await stat(file);
  if (size > maxBytes) {
    throw new CogVLM2Error(
      'invalid_value',
      `${file} has ${size} bytes; a JSON document is read up to ${maxBytes}. Write it as JSON lines, one row a line.`,
    );
  }
  const bytes = await readFile(file);
  if (!isUtf8(bytes)) for await (const _ of linesOf(file)); // It throws with the line's number.
  try {
    return parseJsonAsPython(bytes.toString('utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CogVLM2Error('invalid_value', `${file} is not JSON: ${why}.`, { cause });
  }
}

function rowsOf(value: unknown, file: string): SourceRow[] {
  const list = isRow(value) && Array.isArray(value.data) ? value.data : value;
  if (Array.isArray(list))
    return list.map((row) => (isRow(row) ? withSplit(row, file) : 'is not a JSON object'));
  const entries = isRow(list) ? Object.entries(list) : [];
  if (entries.length > 0 && entries.every(([, row]) => isRow(row))) {
    return entries.map(([id, row]) => ({ question_id: id, ...(row as Row) }));
  }
  if (isRow(list) && ('question' in list || 'prediction' in list)) return [list];
  throw new CogVLM2Error(
    'invalid_value',
    `${file} has no rows: neither a list of objects nor objects by id.`,
  );
}

/** The two halves of ChartQA are two files. */
function withSplit(row: Row, file: string): Row {
  const split = /^(?:train|val|test)_(?:human|augmented)$/.exec(path.basename(file, '.json'))?.[0];
  return split === undefined || 'split' in row ? row : { ...row, split };
}
