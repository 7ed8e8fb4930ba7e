/** Reads results files: as rows of the report, one for each system and profile, or side by side (`eval compare`). */

import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { readJsonFile } from '../../files/json.ts';
import { type Benchmark, type Profile, shownScore } from '../benchmarks.ts';
import { type Results, resultsSchema, type Settings } from '../predictions/schema.ts';

export interface ResultsFile {
  readonly file: string;
  readonly results: Results;
}

export interface MeasuredRow {
  /** Such as "demo, int4". */
  readonly name: string;
  /** Whose scoring rules. */
  readonly profile: Profile;
  readonly results: ReadonlyMap<Benchmark, ResultsFile>;
}

/** @throws CogVLM2Error `file_not_found`; `invalid_value` for another kind of file. */
export function readResults(file: string): ResultsFile {
  const { data, error } = resultsSchema.safeParse(readJsonFile(file));
  if (data !== undefined) return { file, results: data };
  const { path: field, message } = error.issues[0]!;
  throw notResults(file, `${field.join('.') || 'it'}: ${message}`, error);
}

function notResults(file: string, why: string, cause: unknown): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `${file} is not a results file of cogvlm2 eval (${why}). \`cogvlm2 eval score --output\` writes one.`,
    { cause },
  );
}

/** In the order of the files. @throws CogVLM2Error `invalid_value` for two results of one cell. */
export function rowsOf(files: readonly ResultsFile[]): MeasuredRow[] {
  const rows = new Map<string, { name: string; profile: Profile; results: Map<Benchmark, ResultsFile> }>();
  for (const found of files) {
    const { results, file } = found;
    const key = JSON.stringify([modelKey(found), results.profile]);
    const row = rows.get(key) ?? { name: modelName(found), profile: results.profile, results: new Map() };
    const twin = row.results.get(results.benchmark);
    if (twin !== undefined) {
      throw new CogVLM2Error(
        'invalid_value',
        `${twin.file} and ${file} are both ${results.benchmark} of ${row.name} by the profile ${row.profile}. Leave one out.`,
      );
    }
    row.results.set(results.benchmark, found);
    rows.set(key, row);
  }
  return [...rows.values()];
}

function modelKey({ results: { name, settings }, file }: ResultsFile): unknown {
  if (name !== undefined) return { name };
  return settings === null ? path.resolve(file) : settings.model;
}

function modelName({ results: { name, settings }, file }: ResultsFile): string {
  if (name !== undefined) return name;
  if (settings === null) return `predictions of ${path.basename(file)}`;
  const { model } = settings;
  return model.kind === 'endpoint'
    ? `${model.name} at ${hostOf(model.url)}`
    : `${[model, ...(model.adapters ?? [])].map((each) => each.name).join(' + ')}, ${precisionOf(model)}`;
}

/** The host of a URL, which is short enough for a table. */
function hostOf(url: string): string {
  return url.replace(/^\w+:\/\/([^/]+).*$/, '$1');
}

const shortNames: Readonly<Record<string, string>> = { q4_K: 'int4', q8_0: 'int8' };

/** The stored type with the most bytes. */
function precisionOf({ types, compute }: Extract<Settings['model'], { kind: 'checkpoint' }>): string {
  const [type = 'no weights'] = Object.entries(types).sort((a, b) => b[1] - a[1])[0] ?? [];
  return `${shortNames[type] ?? type}${compute === 'f32' ? ', computed in f32' : ''}`;
}

/** Counts behind a score: "2,500 questions", "3 undecided", "1 empty", "12 refused: 81.2 without them". */
export function countsOf(results: Results): string[] {
  const { benchmark, questions, undecided, refused, reencodedImages, empty, broken, judge, settings } =
    results;
  const count = (number: number, what: string) => `${number.toLocaleString('en-US')} ${what}`;
  return [
    count(questions, questions === 1 ? 'question' : 'questions'),
    ...(undecided > 0 ? [count(undecided, 'undecided')] : []),
    ...(refused > 0
      ? [
          `${count(refused, 'refused')}: ${shownScore(benchmark, results.scoreOfAnswered ?? null)} without them`,
        ]
      : []),
    ...(empty > 0 ? [count(empty, 'empty')] : []),
    ...(broken > 0 ? [count(broken, 'broken')] : []),
    ...(reencodedImages > 0 ? [count(reencodedImages, 'images re-encoded')] : []),
    ...(settings?.subset ? [`subset ${settings.subset}`] : []),
    ...(judge === null ? [] : [`judged by ${judge.name}`]),
  ];
}

/** The introduction of the report. */
export function notes(rows: readonly MeasuredRow[]): string[] {
  const profiles = [...new Set(rows.map(({ profile }) => profile))].join(', ');
  return [
    `Rows marked "measured" were computed here from results files, by the scoring rules of the profile named with them (${profiles}). The counts under a score are its questions; undecided answers and refusals by the server count as wrong. Rows marked "published" are the table of the CogVLM2 README, which does not state splits, prompts and scoring scripts.`,
    'A dash means that there is no score. Scores are comparable only if questions, prompts and rules are the same.',
  ];
}

/** Results of one benchmark side by side. The others are compared with the first. */
export interface Compared {
  readonly benchmark: string;
  readonly columns: readonly string[];
  /** A name, and a value for each column. */
  readonly rows: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** @throws CogVLM2Error `file_not_found`; `invalid_value` for another kind of file, or another benchmark or profile. */
export async function compareResults(files: readonly string[]): Promise<Compared> {
  const all = files.map((file) => readResults(file).results);
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
      ...(all.some(({ refused }) => refused > 0)
        ? [
            { name: 'refused', values: all.map(({ refused }) => refused) },
            {
              name: 'score without refused',
              values: all.map(({ score, scoreOfAnswered = score }) => scoreOfAnswered),
            },
          ]
        : []),
      { name: 'answers as the first', values: all.map((results) => sameAnswers(first, results)) },
    ],
  };
}

/** Percentage of equal answers among the questions that both answered. */
function sameAnswers(first: Results, other: Results): number | null {
  const answers = new Map(first.rows.map(({ id, prediction }) => [id, prediction]));
  const both = other.rows.filter(({ id, prediction }) => prediction !== null && answers.get(id) != null);
  const same = both.filter(({ id, prediction }) => answers.get(id) === prediction);
  return both.length === 0 ? null : (100 * same.length) / both.length;
}
