/** Scores rows of predictions. A row that cannot be scored is named and counted, and does not stop the others. */
import { CogVLM2Error } from '../errors.ts';
import type { Benchmark, Profile } from './benchmarks.ts';
import { idOf, isRow, type Row } from './row.ts';
import { type RowScore, scoreRow } from './score-row.ts';
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
    if (typeof value.error === 'string') return { id, row: value, score: null, error: value.error };
    return { id, row: value, ...scoreOrError(benchmark, value, profile) };
  });
  return { rows, summary: summarize(benchmark, rows, profile) };
}

function scoreOrError(benchmark: Benchmark, row: Row, profile: Profile): RowScore & { error?: string } {
  try {
    return scoreRow(benchmark, row, profile);
  } catch (error) {
    if (error instanceof CogVLM2Error) return { score: null, error: error.message };
    throw error;
  }
}
