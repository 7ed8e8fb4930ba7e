/** A benchmark's parts (subjects, halves, capabilities and their combinations), each with what ours scored in it. */
import { type Benchmark, benchmarks } from '../eval/benchmarks.ts';
import type { MeasuredRow } from './measured.ts';

export interface PartsTable {
  readonly benchmark: Benchmark;
  /** Those with results of the benchmark, as "demo, int4 (official)". */
  readonly models: readonly string[];
  readonly parts: readonly { readonly name: string; readonly scores: readonly (number | null)[] }[];
}

/** Of the benchmarks that have parts. */
export function partsOf(rows: readonly MeasuredRow[]): PartsTable[] {
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
