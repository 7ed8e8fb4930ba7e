/** Scores a file of predictions that came from anywhere: a JSON list, JSON lines, or another format of rows. */

import { CogVLM2Error } from '../errors.ts';
import { writeFileWhole } from '../files/atomic-file.ts';
import { type Benchmark, benchmarks, type Profile, profiles } from './benchmarks.ts';
import type { Endpoint } from './endpoint.ts';
import { Judge, judgeRows } from './judge.ts';
import type { Results } from './prediction.ts';
import { readRows } from './read-rows.ts';
import { renderSummary, resultsOf } from './results.ts';
import { isRow } from './row.ts';
import { type ScoredRow, scoreRows } from './score-rows.ts';

export interface EvalScoreOptions {
  /** One of `benchmarks`. */
  readonly benchmark: string;
  /** Path of the predictions. */
  readonly file: string;
  /** One of `profiles`; "official" when not given. */
  readonly profile?: string | undefined;
  /** One line of JSON per row in place of the summary. */
  readonly json?: boolean | undefined;
  /** Where the results are written, if anywhere. */
  readonly output?: string | undefined;
  /** What the results call the system that answered. */
  readonly name?: string | undefined;
  readonly judge?: JudgeOptions | undefined;
  readonly stdout: { write(text: string): unknown };
}

export interface JudgeOptions {
  readonly endpoint: Endpoint;
  readonly signal: AbortSignal;
  onProgress(done: number, total: number): void;
}

/** What `cogvlm2 eval score` does. Resolves to the results, of which `json` prints the rows only. */
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
  // To readers that go by Unicode, such as Python's splitlines(), these end a line as well.
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
