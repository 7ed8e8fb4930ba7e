/** `cogvlm2 eval score`: scores a file of predictions, of `eval run` or of another program. */
import { CogVLM2Error } from '../../errors.ts';
import { writeFileWhole } from '../../files/writing.ts';
import { type Benchmark, benchmarks, type Profile, profiles } from '../benchmarks.ts';
import { readRows } from '../predictions/file.ts';
import type { Header, Results } from '../predictions/schema.ts';
import { isRow, listedAnswers, optionalText, type Row, refusalOf } from '../row.ts';
import type { Endpoint } from '../run/endpoint.ts';
import { Judge, judgeRows } from './judge.ts';
import { type ScoredFile, type ScoredRow, type Summary, scoreRows } from './summary.ts';

export interface EvalScoreOptions {
  /** One of `benchmarks`. */
  readonly benchmark: string;
  /** Path of the predictions. */
  readonly file: string;
  /** One of `profiles`. Default: "official". */
  readonly profile?: string | undefined;
  /** Print one line of JSON for each row instead of the summary. */
  readonly json?: boolean | undefined;
  /** Results file. */
  readonly output?: string | undefined;
  /** Name of the system in the results. */
  readonly name?: string | undefined;
  readonly judge?: JudgeOptions | undefined;
  readonly stdout: { write(text: string): unknown };
}

export interface JudgeOptions {
  readonly endpoint: Endpoint;
  readonly signal: AbortSignal;
  onProgress(done: number, total: number): void;
}

/** Scores the file, writes results, and prints the summary or the rows. */
export async function runEvalScore(options: EvalScoreOptions): Promise<Results> {
  const benchmark = oneOf(options.benchmark, benchmarks, 'benchmark');
  const profile = oneOf(options.profile ?? 'official', profiles, 'profile');
  const { rows: read, header } = await readRows(options.file);
  const values =
    options.judge === undefined ? read : await judged(benchmark, read, profile, options.file, options.judge);
  const scored = scoreRows(benchmark, values, profile);
  const endpoint = options.judge?.endpoint;
  const judge = endpoint === undefined ? null : { name: endpoint.model, url: endpoint.url };
  const results = resultsOf(scored, header, judge, options.name);
  if (options.output !== undefined) writeFileWhole(options.output, `${JSON.stringify(results)}\n`);
  const { rows, summary } = scored;
  options.stdout.write(
    options.json === true ? rows.map((row) => asLine(benchmark, row)).join('') : renderSummary(summary, rows),
  );
  return results;
}

async function judged(
  benchmark: Benchmark,
  values: readonly unknown[],
  profile: Profile,
  file: string,
  { endpoint, signal, onProgress }: JudgeOptions,
): Promise<readonly unknown[]> {
  using judge = new Judge(endpoint, `${file}.judge.jsonl`, signal);
  const rows = await judgeRows(benchmark, values.filter(isRow), profile, judge, onProgress);
  let next = 0;
  return values.map((value) => (isRow(value) ? rows[next++] : value));
}

function asLine(benchmark: Benchmark, { id, score, parsed, error }: ScoredRow): string {
  const parses = benchmark === 'mmmu' || benchmark === 'mmbench';
  const line = {
    id,
    score,
    ...(parses && { parsed: parsed ?? null }),
    ...(error !== undefined && { error }),
  };
  // Readers such as Python's splitlines() would split lines at these characters.
  const text = JSON.stringify(line).replace(/[\x85\u2028\u2029]/g, (end) => {
    return `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `${text}\n`;
}

function oneOf<Name extends string>(value: string, names: readonly Name[], what: string): Name {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new CogVLM2Error('invalid_value', `${what} ${value} is not known; one of ${names.join(', ')}`);
}

export function resultsOf(
  { rows, summary }: ScoredFile,
  header: Header | null,
  judge: Results['judge'],
  name: string | undefined,
): Results {
  return {
    kind: 'cogvlm2-results',
    version: 1,
    ...summary,
    parts: [...summary.parts],
    judge,
    ...(name !== undefined && { name }),
    settings: header?.settings ?? null,
    rows: rows.map(resultRow),
  };
}

function resultRow({ id, row, score, parsed, error }: ScoredRow): Results['rows'][number] {
  const refusal = refusalOf(row);
  return {
    id: String(id),
    row: rowNumberOf(row),
    question: shownText(row, 'question', 'query'),
    answers: answersOf(row),
    prediction: shownText(row, 'prediction', 'response', 'predict'),
    score: typeof score === 'number' ? score : null,
    ...(parsed !== undefined && { parsed }),
    ...(refusal !== undefined && { refusal }),
    ...(error !== undefined && { error }),
  };
}

function rowNumberOf({ run }: Row): number | null {
  return isRow(run) && typeof run.row === 'number' ? run.row : null;
}

/** A broken row may have any value. */
function shownText(row: Row, ...names: string[]): string | null {
  try {
    return optionalText(row, ...names) ?? null;
  } catch {
    return null;
  }
}

function answersOf(row: Row): string[] {
  try {
    return listedAnswers(row);
  } catch {
    return [];
  }
}

const namedErrors = 10;

export function renderSummary(summary: Summary, rows: readonly ScoredRow[]): string {
  const broken = rows.filter(({ error }) => error !== undefined);
  const lines = [
    `${summary.benchmark} (${summary.profile})  ${shown(summary.score)}`,
    ...summary.parts.map(({ name, score }) => `  ${name}  ${shown(score)}`),
    `${summary.questions} questions, ${summary.undecided} undecided, ${summary.empty} empty, ${summary.broken} broken`,
    ...refusedLine(summary),
    ...(summary.reencodedImages > 0
      ? [`${summary.reencodedImages} images were re-encoded to fit the limits of the server`]
      : []),
    ...broken.slice(0, namedErrors).map(({ id, error }) => `  ${id}: ${error}`),
    ...(broken.length > namedErrors ? [`  and ${broken.length - namedErrors} more`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function refusedLine({ refused, score, scoreOfAnswered = null }: Summary): string[] {
  if (refused === 0) return [];
  return [
    `${refused} refused by the server: ${shown(score)} with them as wrong, ${shown(scoreOfAnswered)} without them`,
  ];
}

function shown(score: number | null): string {
  return score === null ? '-' : String(Math.round(score * 100) / 100);
}
