/** Predictions files: reading, appending during a run, and reading predictions of any program as rows. */

import { CogVLM2Error } from '../../errors.ts';
import { checkInputFile } from '../../files/input-file.ts';
import { Journal } from '../../files/journal.ts';
import { parseJson } from '../../files/json.ts';
import { linesOf } from '../../files/text.ts';
import { checkSameSettings } from '../../run/resume.ts';
import { firstBytes, openSource } from '../data/files.ts';
import type { Row } from '../row.ts';
import {
  type Failure,
  failureSchema,
  type Header,
  headerSchema,
  type Prediction,
  predictionSchema,
} from './schema.ts';

export interface PredictionFile {
  readonly header: Header;
  /** In the order of the data. An answer replaces a failure, never the other way round. */
  readonly lines: readonly (Prediction | Failure)[];
}

/** A partial line at the end, which a killed run leaves, is ignored. @throws CogVLM2Error `invalid_value`. */
export async function readPredictions(file: string): Promise<PredictionFile> {
  const lines = new Map<string, Prediction | Failure>();
  let header: Header | undefined;
  for await (const { text, ended } of linesOf(file)) {
    const value = parsed(text);
    if (header === undefined) {
      header = asHeader(value, file);
      continue;
    }
    const line = ended ? asLine(value) : undefined;
    if (line === undefined) continue;
    const earlier = lines.get(line.id);
    if (earlier === undefined || isAnswer(line) || !isAnswer(earlier)) lines.set(line.id, line);
  }
  if (header === undefined) throw notPredictions(file);
  return { header, lines: [...lines.values()].sort((left, right) => left.run.row - right.run.row) };
}

export function isAnswer(line: Prediction | Failure): line is Prediction {
  return 'prediction' in line;
}

function asLine(value: unknown): Prediction | Failure | undefined {
  const answer = predictionSchema.safeParse(value);
  if (answer.success) return answer.data;
  const failure = failureSchema.safeParse(value);
  return failure.success ? failure.data : undefined;
}

/** @throws CogVLM2Error `invalid_value` if the first line is not a header. */
function asHeader(value: unknown, file: string): Header {
  const found = headerSchema.safeParse(value);
  if (found.success) return found.data;
  throw notPredictions(file);
}

function notPredictions(file: string): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `${file} is not a predictions file of \`cogvlm2 eval run\`: its first line is not a header of version 1.`,
  );
}

function parsed(text: string): unknown {
  try {
    return parseJson(text, 'The line');
  } catch {
    return undefined;
  }
}

/** A predictions file that a run appends to. It tells the next run which questions have an answer. */
export class PredictionLog implements Disposable {
  readonly #journal: Journal;
  readonly #answered = new Set<string>();

  /**
   * Creates the file, or opens one with the same settings and the same shard.
   * @throws CogVLM2Error `invalid_value` for another kind of file, or for other settings, with both values; `write_failed`.
   */
  constructor(file: string, header: Header) {
    let begun = false;
    this.#journal = new Journal(file, (value) => {
      if (begun) {
        const line = asLine(value);
        if (line !== undefined && isAnswer(line)) this.#answered.add(line.id);
        return;
      }
      checkSameSettings(file, answersDependOn(asHeader(value, file)), answersDependOn(header));
      begun = true;
    });
    if (!begun) this.#journal.append(header);
  }

  /** Whether the file has an answer to the question. */
  has(id: string): boolean {
    return this.#answered.has(id);
  }

  append(line: Prediction | Failure): void {
    if (isAnswer(line)) {
      if (this.has(line.id)) return;
      this.#answered.add(line.id);
    }
    this.#journal.append(line);
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}

function answersDependOn({ settings, shard }: Header) {
  return { ...settings, shard };
}

export interface ReadRows {
  /** A row that cannot be read has the reason in `error`. */
  readonly rows: readonly Row[];
  /** Null unless `eval run` wrote the file. */
  readonly header: Header | null;
}

/**
 * Rows of a file of `eval run`, a JSON list, JSON lines, or a table (TSV, xlsx, parquet).
 * @throws CogVLM2Error `file_not_found`; `invalid_value`, also for a file without rows.
 */
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
