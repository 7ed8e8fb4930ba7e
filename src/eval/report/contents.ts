/** The contents of the report, before they are rendered as HTML or Markdown. */
import {
  type Benchmark,
  benchmarks,
  type PublishedBenchmark,
  published,
  publishedBenchmarks,
} from '../benchmarks.ts';
import type { Results } from '../predictions/schema.ts';
import type { MeasuredRow, ResultsFile } from './measured.ts';

export interface WrongPage {
  readonly benchmark: Benchmark;
  readonly total: number;
  readonly shown: readonly WrongAnswer[];
}

/** A bar of a chart. */
export interface Bar {
  readonly name: string;
  readonly score: number;
  /** The profile of a measured score; undefined for a published one. */
  readonly profile: string | undefined;
}

export interface Contents {
  readonly rows: readonly MeasuredRow[];
  /** The benchmarks of the published table, and `demo` if it was measured. */
  readonly columns: readonly Benchmark[];
  readonly charts: readonly { readonly benchmark: Benchmark; readonly bars: readonly Bar[] }[];
  readonly parts: readonly PartsTable[];
  readonly wrong: readonly WrongPage[];
}

/** @param wrongLimit maximum number of wrong answers for each benchmark */
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

/** The scores of a benchmark's parts: subjects, halves, capabilities and their combinations. */
export interface PartsTable {
  readonly benchmark: Benchmark;
  /** Systems with results of the benchmark, such as "demo, int4 (official)". */
  readonly models: readonly string[];
  readonly parts: readonly { readonly name: string; readonly scores: readonly (number | null)[] }[];
}

/** One table for each benchmark that has parts. */
function partsOf(rows: readonly MeasuredRow[]): PartsTable[] {
  return benchmarks.flatMap((benchmark) => {
    const measured = rows.flatMap(({ name, profile, results }) => {
      const found = results.get(benchmark)?.results;
      return found === undefined ? [] : [{ model: `${name} (${profile})`, parts: found.parts }];
    });
    const names = [...new Set(measured.flatMap(({ parts }) => parts.map(({ name }) => name)))];
    if (names.length === 0) return [];
    const parts = names.map((name) => ({
      name,
      scores: measured.map(({ parts }) => parts.find((part) => part.name === name)?.score ?? null),
    }));
    return [{ benchmark, models: measured.map(({ model }) => model), parts }];
  });
}

type ResultRow = Results['rows'][number];

export interface GivenAnswer {
  /** Index of the measured row. */
  readonly by: number;
  readonly prediction: string | null;
  readonly score: number | null;
  /** The server's words for a refusal. */
  readonly refusal: string | undefined;
  readonly error: string | undefined;
}

/** A question that a measured system answered wrongly, with the answers of all measured systems. */
export interface WrongAnswer {
  readonly id: string;
  readonly question: string | null;
  readonly answers: readonly string[];
  readonly given: readonly GivenAnswer[];
  /** Locates its image: the row in the data of these results. */
  readonly source: { readonly results: Results; readonly row: number | null };
}

/** Less than half of a point, undecided or broken. */
function isWrong({ score }: Pick<ResultRow, 'score'>): boolean {
  return score === null || score < 0.5;
}

/** Questions that most systems got wrong come first; then the order of the data. */
function wrongAnswers(benchmark: Benchmark, rows: readonly MeasuredRow[]): WrongAnswer[] {
  const byId = new Map<string, { by: number; row: ResultRow; file: ResultsFile }[]>();
  rows.forEach(({ results }, by) => {
    const file = results.get(benchmark);
    for (const row of file?.results.rows ?? []) {
      byId.set(row.id, [...(byId.get(row.id) ?? []), { by, row, file: file! }]);
    }
  });
  const wrong = [...byId.values()].filter((given) => given.some(({ row }) => isWrong(row)));
  const howWrong = (given: { row: ResultRow }[]) => given.filter(({ row }) => isWrong(row)).length;
  return wrong
    .sort((a, b) => howWrong(b) - howWrong(a) || (a[0]!.row.row ?? 0) - (b[0]!.row.row ?? 0))
    .map((given) => {
      const { row, file } = given.find(({ row }) => row.question !== null) ?? given[0]!;
      return {
        id: row.id,
        question: row.question,
        answers: row.answers,
        given: given.map(({ by, row }) => ({
          by,
          prediction: row.prediction,
          score: row.score,
          refusal: row.refusal,
          error: row.error,
        })),
        source: { results: file.results, row: row.row },
      };
    });
}
