/** One question of a benchmark, from a row of any of the files that hold it. */
import type { Benchmark } from '../benchmarks.ts';
import { idOf, integer, optionalText, type Row } from '../row.ts';

/** What belongs together: the rotations of a question of MMBench, otherwise one row. */
export function groupOf(benchmark: Benchmark, row: Row, id: string): string {
  if (benchmark !== 'mmbench') return id;
  const index = integer(row, 'g_index') ?? integer(row, 'index');
  return index === undefined ? id : String(index % 1_000_000);
}

/** The row's own id; a second row that has it gets a number, because answers are kept by id. */
export class Ids {
  readonly #seen = new Map<string, number>();

  next(row: Row, place: number): string {
    const id = String(idOf(row) ?? `row ${place + 1}`);
    const count = (this.#seen.get(id) ?? 0) + 1;
    this.#seen.set(id, count);
    return count === 1 ? id : `${id}#${count}`;
  }
}

/** Fields under one name that the benchmark's files have under several, so that all of them are scored alike. */
export function normalized(benchmark: Benchmark, row: Row): Row {
  if (benchmark === 'mmmu') return withSubject(row);
  if (benchmark === 'mmbench') return withoutNan(row);
  if (benchmark !== 'chartqa') return row;
  const query = optionalText(row, 'question', 'query');
  const half = optionalText(row, 'human_or_machine');
  return {
    ...row,
    ...(query !== undefined && { question: query }),
    ...(half !== undefined && { split: half === '0' ? 'human' : 'augmented' }),
  };
}

/** Hugging Face's copy of MMBench writes a missing hint or option as the text "nan". */
function withoutNan(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).filter(([name, value]) => value !== 'nan' || !/^(?:hint|[A-Z])$/.test(name)),
  );
}

/** Hugging Face's rows of MMMU say their split and subject in the id only: validation_Art_Theory_12. */
function withSubject(row: Row): Row {
  const [, split, subject] = /^(dev|validation|test)_(.+)_\d+$/.exec(optionalText(row, 'id') ?? '') ?? [];
  return { ...(split && { split }), ...(subject && { category: subject }), ...row };
}

const kinds = [
  'split',
  'category',
  'l2-category',
  'L2-category',
  'type',
  'question_type',
  'dataset_name',
  'dataset',
  'language',
  'task',
  'imitates',
  'capability',
] as const;

/** The names that `--subset` can choose a row by. */
export function subsetsOf(row: Row): string[] {
  return kinds.flatMap((kind) => {
    const value = row[kind];
    if (Array.isArray(value)) return value.filter((item) => typeof item === 'string');
    return typeof value === 'string' ? [value] : [];
  });
}
