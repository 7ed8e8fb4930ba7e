/** The questions that a model of ours got wrong, with what every one of ours said. */
import type { Benchmark } from '../eval/benchmarks.ts';
import type { Results } from '../eval/prediction.ts';
import type { MeasuredRow, ResultsFile } from './measured.ts';

type ResultRow = Results['rows'][number];

export interface Said {
  /** Index of the measured row. */
  readonly by: number;
  readonly prediction: string | null;
  readonly score: number | null;
  readonly error: string | undefined;
}

export interface WrongAnswer {
  readonly id: string;
  readonly question: string | null;
  readonly answers: readonly string[];
  readonly said: readonly Said[];
  /** Where its picture is: the place in the data of these results. */
  readonly source: { readonly results: Results; readonly row: number | null };
}

/** Less than half of a point, undecided or broken. */
function isWrong({ score }: Pick<ResultRow, 'score'>): boolean {
  return score === null || score < 0.5;
}

/** Sorted so that the questions that most of ours got wrong come first, then as in the data. */
export function wrongAnswers(benchmark: Benchmark, rows: readonly MeasuredRow[]): WrongAnswer[] {
  const byId = new Map<string, { by: number; row: ResultRow; file: ResultsFile }[]>();
  rows.forEach(({ results }, by) => {
    const file = results.get(benchmark);
    for (const row of file?.results.rows ?? []) {
      byId.set(row.id, [...(byId.get(row.id) ?? []), { by, row, file: file! }]);
    }
  });
  const wrong = [...byId.values()].filter((said) => said.some(({ row }) => isWrong(row)));
  const howWrong = (said: { row: ResultRow }[]) => said.filter(({ row }) => isWrong(row)).length;
  return wrong
    .sort((a, b) => howWrong(b) - howWrong(a) || (a[0]!.row.row ?? 0) - (b[0]!.row.row ?? 0))
    .map((said) => {
      const { row, file } = said.find(({ row }) => row.question !== null) ?? said[0]!;
      return {
        id: row.id,
        question: row.question,
        answers: row.answers,
        said: said.map(({ by, row: { prediction, score, error } }) => ({ by, prediction, score, error })),
        source: { results: file.results, row: row.row },
      };
    });
}
