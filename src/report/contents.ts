/** What the report says, before it is HTML or Markdown. */
import { type Benchmark, benchmarks, publishedBenchmarks } from '../eval/benchmarks.ts';
import type { Bar } from './chart.ts';
import type { MeasuredRow } from './measured.ts';
import { type PartsTable, partsOf } from './parts.ts';
import { type PublishedBenchmark, published } from './published.ts';
import { type WrongAnswer, wrongAnswers } from './wrong.ts';

export interface WrongPage {
  readonly benchmark: Benchmark;
  readonly total: number;
  readonly shown: readonly WrongAnswer[];
}

export interface Contents {
  readonly rows: readonly MeasuredRow[];
  /** Those of the published table, and ours if there is a number of ours. */
  readonly columns: readonly Benchmark[];
  readonly charts: readonly { readonly benchmark: Benchmark; readonly bars: readonly Bar[] }[];
  readonly parts: readonly PartsTable[];
  readonly wrong: readonly WrongPage[];
}

/** @param wrongLimit most wrong answers that a benchmark shows */
export function contentsOf(rows: readonly MeasuredRow[], wrongLimit: number): Contents {
  const measured = benchmarks.filter((benchmark) => rows.some(({ results }) => results.has(benchmark)));
  const columns = benchmarks.filter((benchmark) => isPublished(benchmark) || measured.includes(benchmark));
  return {
    rows,
    columns,
    charts: columns.map((benchmark) => ({ benchmark, bars: barsOf(benchmark, rows) })),
    parts: partsOf(rows),
    wrong: measured.map((benchmark) => {
      const all = wrongAnswers(benchmark, rows);
      return { benchmark, total: all.length, shown: all.slice(0, wrongLimit) };
    }),
  };
}

export function publishedScore(row: (typeof published)[number], benchmark: Benchmark): number | null {
  return isPublished(benchmark) ? row.scores[benchmark] : null;
}

function isPublished(benchmark: Benchmark): benchmark is PublishedBenchmark {
  return publishedBenchmarks.some((name) => name === benchmark);
}

function barsOf(benchmark: Benchmark, rows: readonly MeasuredRow[]): Bar[] {
  const ours = rows.map(({ name, profile, results }) => ({
    name,
    score: results.get(benchmark)?.results.score ?? null,
    profile,
  }));
  const theirs = published.map((row) => ({
    name: row.name,
    score: publishedScore(row, benchmark),
    profile: undefined,
  }));
  return [...ours, ...theirs].flatMap(({ score, ...bar }) => (score === null ? [] : [{ ...bar, score }]));
}
