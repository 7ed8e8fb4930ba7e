/**
 * Scores a file of predictions that came from anywhere: a JSON list, or JSON lines, of rows. A row that cannot be
 * scored is named and counted, and does not stop the others.
 */
import { readFile } from 'node:fs/promises';
import { CogVLM2Error } from '../errors.ts';
import { type Benchmark, benchmarks, type Profile, profiles } from './benchmarks.ts';
import { parseJsonAsPython } from './python/json.ts';
import { isRow, optionalText, type Row } from './row.ts';
import { sumOcrBench } from './score/ocrbench.ts';
import { ocrCategory, type RowScore, scoreRow } from './score-row.ts';
import { type Summary, summarize } from './summary.ts';

export interface ScoredRow extends RowScore {
  readonly id: string | number;
  readonly row: Row;
  /** Why the row has no score. */
  readonly error?: string;
}

export interface ScoredFile {
  readonly rows: readonly ScoredRow[];
  readonly summary: Summary;
}

export function scoreRows(benchmark: Benchmark, values: readonly unknown[], profile: Profile): ScoredFile {
  const rows = values.map((value, i): ScoredRow => {
    if (!isRow(value)) {
      return { id: `row ${i + 1}`, row: {}, score: null, error: 'is not a JSON object' };
    }
    const id = idOf(value) ?? `row ${i + 1}`;
    if (benchmark === 'ocrbench' && value.kind === 'aggregate') {
      return { id, row: value, score: null, other: true };
    }
    return { id, row: value, ...scoreOrError(benchmark, value, profile) };
  });
  const summary = summarize(benchmark, rows, profile);
  return { rows: benchmark === 'ocrbench' ? fillAggregates(rows) : rows, summary };
}

function scoreOrError(benchmark: Benchmark, row: Row, profile: Profile): RowScore & { error?: string } {
  try {
    return scoreRow(benchmark, row, profile);
  } catch (error) {
    if (error instanceof CogVLM2Error) return { score: null, error: error.message };
    throw error;
  }
}

function idOf(row: Row): string | number | undefined {
  const names = ['id', 'question_id', 'questionId', 'index'];
  const name = names.find((name) => ['string', 'number', 'bigint'].includes(typeof row[name]));
  if (name === undefined) return undefined;
  const id = row[name];
  return typeof id === 'number' ? id : optionalText(row, name);
}

/** A row that asks for the sums of OCRBench gets those of all the questions of its file. */
function fillAggregates(rows: readonly ScoredRow[]): ScoredRow[] {
  const questions = rows.filter(({ other, score }) => other !== true && typeof score === 'number');
  const sums = sumOcrBench(
    questions.map(({ row, score }) => ({ category: ocrCategory(row), score: Number(score) })),
  );
  return rows.map((scored) => (scored.other === true ? { ...scored, score: sums } : scored));
}

export interface EvalScoreOptions {
  /** One of `benchmarks`. */
  readonly benchmark: string;
  /** Path of the predictions. */
  readonly file: string;
  /** One of `profiles`; "official" when not given. */
  readonly profile?: string | undefined;
  /** One line of JSON per row in place of the summary. */
  readonly json?: boolean | undefined;
  readonly stdout: { write(text: string): unknown };
}

/** What `cogvlm2 eval score` does. Resolves to the summary, which `json` does not print. */
export async function runEvalScore(options: EvalScoreOptions): Promise<Summary> {
  const benchmark = oneOf(options.benchmark, benchmarks, 'benchmark');
  const profile = oneOf(options.profile ?? 'official', profiles, 'profile');
  const { rows, summary } = scoreRows(benchmark, parseRows(await read(options.file), options.file), profile);
  options.stdout.write(options.json === true ? rows.map(asLine).join('') : renderSummary(summary, rows));
  return summary;
}

function asLine({ id, score, parsed, error }: ScoredRow): string {
  const line = { id, score, ...(parsed !== undefined && { parsed }), ...(error !== undefined && { error }) };
  return `${JSON.stringify(line)}\n`;
}

const namedErrors = 10;

function renderSummary(summary: Summary, rows: readonly ScoredRow[]): string {
  const broken = rows.filter(({ error }) => error !== undefined);
  const lines = [
    `${summary.benchmark} (${summary.profile})  ${shown(summary.score)}`,
    ...summary.parts.map(({ name, score }) => `  ${name}  ${shown(score)}`),
    `${summary.questions} questions, ${summary.undecided} undecided, ${summary.empty} empty, ${summary.broken} broken`,
    ...broken.slice(0, namedErrors).map(({ id, error }) => `  ${id}: ${error}`),
    ...(broken.length > namedErrors ? [`  and ${broken.length - namedErrors} more`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function shown(score: number | null): string {
  return score === null ? '-' : String(Math.round(score * 100) / 100);
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
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

function oneOf<Name extends string>(value: string, names: readonly Name[], what: string): Name {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new CogVLM2Error('invalid_value', `${what} ${value} is not known; one of ${names.join(', ')}`);
}
