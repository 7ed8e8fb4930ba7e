/**
 * The questions of a benchmark in one or several data files, without their answers' having to fit in memory: first
 * a plan of which rows there are, then the rows of the plan one by one.
 */
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { nearest } from '../../messages.ts';
import type { Benchmark } from '../benchmarks.ts';
import { isMissing, type Row } from '../row.ts';
import { dataFiles } from './files.ts';
import { pictureCells, readPictureCell, withoutPictures } from './picture-cell.ts';
import { groupOf, Ids, normalized, subsetsOf } from './question.ts';
import type { RowSource } from './row-source.ts';
import { openSource } from './source.ts';

export interface PlannedQuestion {
  readonly id: string;
  /** Its place in the data, from 0, over all files. */
  readonly place: number;
  /** Questions that count only together have the same. */
  readonly group: string;
}

export interface BrokenRow {
  readonly id: string;
  readonly place: number;
  readonly error: string;
}

export interface Plan {
  readonly questions: readonly PlannedQuestion[];
  readonly broken: readonly BrokenRow[];
}

export interface Question {
  readonly id: string;
  readonly place: number;
  /** Its fields, without pictures. */
  readonly row: Row;
  readonly pictureCount: number;
  /** The bytes of a picture, encoded as they were in the data. @throws CogVLM2Error. */
  picture(number: number): Promise<Uint8Array>;
}

interface Part {
  readonly source: RowSource;
  readonly folder: string;
  readonly firstPlace: number;
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
   * Goes over all rows once. `paths` are data files, or folders that hold one kind of them.
   * @throws CogVLM2Error `file_not_found`, `invalid_value`.
   */
  static async open(benchmark: Benchmark, paths: readonly string[], subset?: string): Promise<DataSet> {
    const files = await dataFiles(benchmark, paths);
    const questions: PlannedQuestion[] = [];
    const broken: BrokenRow[] = [];
    const subsets = new Set<string>();
    const parts: Part[] = [];
    const ids = new Ids();
    let place = 0;
    try {
      for (const file of files) {
        const source = await openSource(file);
        const firstPlace = place;
        parts.push({ source, folder: path.dirname(file), firstPlace, rowCount: 0 });
        for await (const found of source.scan()) {
          const at = place;
          place += 1;
          if (typeof found === 'string') {
            broken.push({ id: `row ${at + 1}`, place: at, error: found });
            continue;
          }
          const row = normalized(benchmark, found);
          const id = ids.next(row, at);
          const names = subsetsOf(row);
          for (const name of names) subsets.add(name);
          if (subset !== undefined && !names.includes(subset)) continue;
          const group = groupOrProblem(benchmark, row, id);
          if ('error' in group) broken.push({ id, place: at, ...group });
          else questions.push({ id, place: at, ...group });
        }
        parts.push({ ...parts.pop()!, rowCount: place - firstPlace });
      }
    } catch (error) {
      for (const { source } of parts) await source[Symbol.asyncDispose]();
      throw error;
    }
    if (subset !== undefined && questions.length === 0) throw noSubset(subset, subsets);
    return new DataSet(benchmark, files, { questions, broken }, parts);
  }

  /** Whole, one at a time, in rising order of their places. A row that turns out broken is given as such. */
  async *questions(planned: readonly PlannedQuestion[]): AsyncGenerator<Question | BrokenRow> {
    const sorted = [...planned].sort((left, right) => left.place - right.place);
    for (const { source, folder, firstPlace, rowCount } of this.#parts) {
      const mine = sorted.filter(({ place }) => place >= firstPlace && place < firstPlace + rowCount);
      const context = { folder, pictureOf: async (index: string) => source.pictureOf?.(index) };
      let next = 0;
      for await (const found of source.read(mine.map(({ place }) => place - firstPlace))) {
        const { id, place } = mine[next]!;
        next += 1;
        if (typeof found === 'string') {
          yield { id, place, error: found };
          continue;
        }
        const cells = pictureCells(found);
        const row = withoutPictures(normalized(this.benchmark, found));
        const picture = (number: number) => readPictureCell(cells[number], context);
        yield { id, place, row, pictureCount: cells.length, picture };
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
    `No question belongs to ${JSON.stringify(subset)}${near === undefined ? '' : ` (did you mean ${near}?)`}; there are ${names || 'no subsets'}.`,
  );
}
