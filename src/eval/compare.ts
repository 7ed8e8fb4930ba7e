/** Results of one benchmark beside each other, the first of them being what the others are compared with. */
import { CogVLM2Error } from '../errors.ts';
import { readJsonFile } from '../files/json.ts';
import { type Results, resultsSchema } from './prediction.ts';

export interface Compared {
  readonly benchmark: string;
  readonly columns: readonly string[];
  /** A name, and a value for each column. */
  readonly rows: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** @throws CogVLM2Error `file_not_found`; `invalid_value` for what is no results file, or one of other rules. */
export async function compareResults(files: readonly string[]): Promise<Compared> {
  const all: Results[] = [];
  for (const file of files) all.push(readResults(file));
  const [first] = all;
  if (first === undefined)
    throw new CogVLM2Error('invalid_value', 'There is nothing to compare: name results files.');
  const other = all.find(
    ({ benchmark, profile }) => benchmark !== first.benchmark || profile !== first.profile,
  );
  if (other !== undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      `Results of ${first.benchmark} (${first.profile}) and of ${other.benchmark} (${other.profile}) cannot be compared.`,
    );
  }
  const names = [...new Set(all.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const partOf = ({ parts }: Results, name: string) =>
    parts.find((part) => part.name === name)?.score ?? null;
  return {
    benchmark: first.benchmark,
    columns: all.map((results, i) => results.name ?? results.settings?.model.name ?? files[i]!),
    rows: [
      { name: 'score', values: all.map(({ score }) => score) },
      ...names.map((name) => ({ name, values: all.map((results) => partOf(results, name)) })),
      { name: 'questions', values: all.map(({ questions }) => questions) },
      { name: 'answers as the first', values: all.map((results) => sameAnswers(first, results)) },
    ],
  };
}

/** Per cent of the questions that both answered. */
function sameAnswers(first: Results, other: Results): number | null {
  const answers = new Map(first.rows.map(({ id, prediction }) => [id, prediction]));
  const both = other.rows.filter(({ id, prediction }) => prediction !== null && answers.get(id) != null);
  const same = both.filter(({ id, prediction }) => answers.get(id) === prediction);
  return both.length === 0 ? null : (100 * same.length) / both.length;
}

function readResults(file: string): Results {
  const found = resultsSchema.safeParse(readJsonFile(file));
  if (found.success) return found.data;
  throw new CogVLM2Error(
    'invalid_value',
    `${file} is not a results file; \`eval score --output\` makes one from predictions.`,
  );
}
