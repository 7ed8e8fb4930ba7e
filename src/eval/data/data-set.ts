/**
 * The questions of a benchmark in one or more data files. Images need not fit in memory: opening makes a plan of all rows,
 * then the rows of the plan are read one by one.
 */

import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { nearest } from '../../messages.ts';
import type { Benchmark } from '../benchmarks.ts';
import { idOf, isMissing, optionalText, type Row, type RowSource, rotatedQuestion } from '../row.ts';
import { dataFiles, openSource } from './files.ts';
import { imageCells, readImageCell, withoutImages } from './image-cell.ts';

export interface PlannedQuestion {
  readonly id: string;
  /** Its row number, from 0, over all files. */
  readonly rowNumber: number;
  /** Questions that count only together have the same group. */
  readonly group: string;
}

export interface BrokenRow {
  readonly id: string;
  readonly rowNumber: number;
  readonly error: string;
}

export interface Plan {
  readonly questions: readonly PlannedQuestion[];
  readonly broken: readonly BrokenRow[];
}

export interface Question {
  readonly id: string;
  readonly rowNumber: number;
  /** Its fields without images. */
  readonly row: Row;
  readonly imageCount: number;
  /** The bytes of an image file. @throws CogVLM2Error. */
  image(number: number): Promise<Uint8Array>;
}

interface Part {
  readonly source: RowSource;
  readonly folder: string;
  readonly firstRow: number;
  readonly rowCount: number;
}

export class DataSet implements AsyncDisposable {
  readonly benchmark: Benchmark;
  /** The files, in order. */
  readonly files: readonly string[];
  readonly plan: Plan;
  readonly #parts: readonly Part[];

  private constructor(benchmark: Benchmark, files: readonly string[], plan: Plan, parts: readonly Part[]) {
    this.benchmark = benchmark;
    this.files = files;
    this.plan = plan;
    this.#parts = parts;
  }

  /**
   * Scans all rows once.
   * @param paths data files, or folders with data files of one kind
   * @throws CogVLM2Error `file_not_found`, `invalid_value`.
   */
  static async open(benchmark: Benchmark, paths: readonly string[], subset?: string): Promise<DataSet> {
    const files = await dataFiles(benchmark, paths);
    const questions: PlannedQuestion[] = [];
    const broken: BrokenRow[] = [];
    const subsets = new Set<string>();
    const parts: Part[] = [];
    const ids = new Ids();
    let rowNumber = 0;
    try {
      for (const file of files) {
        const source = await openSource(file);
        const firstRow = rowNumber;
        parts.push({ source, folder: path.dirname(file), firstRow, rowCount: 0 });
        for await (const found of source.scan()) {
          const at = rowNumber;
          rowNumber += 1;
          if (typeof found === 'string') {
            broken.push({ id: `row ${at + 1}`, rowNumber: at, error: found });
            continue;
          }
          const row = normalized(benchmark, found);
          const id = ids.next(row, at);
          const names = subsetsOf(row);
          for (const name of names) subsets.add(name);
          if (subset !== undefined && !names.includes(subset)) continue;
          const group = groupOrProblem(benchmark, row, id);
          if ('error' in group) broken.push({ id, rowNumber: at, ...group });
          else questions.push({ id, rowNumber: at, ...group });
        }
        parts.push({ ...parts.pop()!, rowCount: rowNumber - firstRow });
      }
    } catch (error) {
      for (const { source } of parts) await source[Symbol.asyncDispose]();
      throw error;
    }
    if (subset !== undefined && questions.length === 0) throw noSubset(subset, subsets);
    return new DataSet(benchmark, files, { questions, broken }, parts);
  }

  /** Complete questions, one at a time, in the order of the data. */
  async *questions(planned: readonly PlannedQuestion[]): AsyncGenerator<Question | BrokenRow> {
    const sorted = [...planned].sort((left, right) => left.rowNumber - right.rowNumber);
    for (const { source, folder, firstRow, rowCount } of this.#parts) {
      const inPart = sorted.filter(
        ({ rowNumber }) => rowNumber >= firstRow && rowNumber < firstRow + rowCount,
      );
      const context = { folder, imageOf: async (index: string) => source.imageOf?.(index) };
      let next = 0;
      for await (const found of source.read(inPart.map(({ rowNumber }) => rowNumber - firstRow))) {
        const { id, rowNumber } = inPart[next]!;
        next += 1;
        if (typeof found === 'string') {
          yield { id, rowNumber, error: found };
          continue;
        }
        const cells = imageCells(found);
        const row = withoutImages(normalized(this.benchmark, found));
        const image = (number: number) => readImageCell(cells[number], context);
        yield { id, rowNumber, row, imageCount: cells.length, image };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { source } of this.#parts) await source[Symbol.asyncDispose]();
  }
}

function groupOrProblem(benchmark: Benchmark, row: Row, id: string): { group: string } | { error: string } {
  if (isMissing(row.question)) return { error: 'has no question' };
  try {
    return { group: groupOf(benchmark, row, id) };
  } catch (error) {
    if (error instanceof CogVLM2Error) return { error: error.message };
    throw error;
  }
}

function noSubset(subset: string, subsets: ReadonlySet<string>): CogVLM2Error {
  const near = nearest(subset, subsets);
  const names = [...subsets].slice(0, 20).join(', ');
  return new CogVLM2Error(
    'invalid_value',
    `No question belongs to ${JSON.stringify(subset)}${near === undefined ? '' : ` (did you mean ${near}?)`}; the subsets are ${names || 'none'}.`,
  );
}

/** The rotations of a question of MMBench are one group; other rows are groups of one. */
function groupOf(benchmark: Benchmark, row: Row, id: string): string {
  if (benchmark !== 'mmbench') return id;
  return String(rotatedQuestion(row) ?? id);
}

/** Unique ids, because answers are stored by id: the second row with an id gets "#2". */
class Ids {
  readonly #seen = new Map<string, number>();

  next(row: Row, rowNumber: number): string {
    const id = String(idOf(row) ?? `row ${rowNumber + 1}`);
    const count = (this.#seen.get(id) ?? 0) + 1;
    this.#seen.set(id, count);
    return count === 1 ? id : `${id}#${count}`;
  }
}

/** Gives fields one name that the benchmark's files have under several names, so that all files are scored alike. */
function normalized(benchmark: Benchmark, row: Row): Row {
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

/** Hugging Face's copy of MMBench has the text "nan" for a missing hint or option. */
function withoutNan(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).filter(([name, value]) => value !== 'nan' || !/^(?:hint|[A-Z])$/.test(name)),
  );
}

/** Hugging Face's rows of MMMU have split and subject only in the id: validation_Art_Theory_12. */
function withSubject(row: Row): Row {
  const [, split, subject] = /^(dev|validation|test)_(.+)_\d+$/.exec(optionalText(row, 'id') ?? '') ?? [];
  return { ...(split && { split }), ...(subject && { category: subject }), ...row };
}

const subsetFields = [
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

/** The names by which `--subset` selects a row. */
function subsetsOf(row: Row): string[] {
  return subsetFields.flatMap((field) => {
    const value = row[field];
    if (Array.isArray(value)) return value.filter((item) => typeof item === 'string');
    return typeof value === 'string' ? [value] : [];
  });
}
