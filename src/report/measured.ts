/** Results files as rows of the table: one row per system and profile. */
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import type { Benchmark, Profile } from '../eval/benchmarks.ts';
import { type Results, resultsSchema, type Settings } from '../eval/prediction.ts';
import { readJsonFile } from '../files/json.ts';

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

/** @throws CogVLM2Error file_not_found, invalid_value for a file that holds something else */
export function readResults(file: string): ResultsFile {
  const { data, error } = resultsSchema.safeParse(readJsonFile(file));
  if (data !== undefined) return { file, results: data };
  const { path: field, message } = error.issues[0]!;
  throw notResults(file, `${field.join('.') || 'it'}: ${message}`, error);
}

function notResults(file: string, why: string, cause: unknown): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `${file} is no results file of cogvlm2 eval (${why}). \`cogvlm2 eval score\` writes one.`,
    { cause },
  );
}

/** In the order of the files. @throws CogVLM2Error invalid_value for two numbers in one cell */
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

/** All of an address that fits into a table. */
function hostOf(url: string): string {
  return url.replace(/^\w+:\/\/([^/]+).*$/, '$1');
}

const shortNames: Readonly<Record<string, string>> = { q4_K: 'int4', q8_0: 'int8' };

/** The type that most of the bytes are stored in. */
function precisionOf({ types, compute }: Extract<Settings['model'], { kind: 'checkpoint' }>): string {
  const [type = 'no weights'] = Object.entries(types).sort((a, b) => b[1] - a[1])[0] ?? [];
  return `${shortNames[type] ?? type}${compute === 'f32' ? ', computed in f32' : ''}`;
}

/** "2,500 questions", "3 undecided", "1 empty": all that the number rests on. */
export function countsOf({ questions, undecided, empty, broken, judge, settings }: Results): string[] {
  const count = (number: number, what: string) => `${number.toLocaleString('en-US')} ${what}`;
  return [
    count(questions, questions === 1 ? 'question' : 'questions'),
    ...(undecided > 0 ? [count(undecided, 'undecided')] : []),
    ...(empty > 0 ? [count(empty, 'empty')] : []),
    ...(broken > 0 ? [count(broken, 'broken')] : []),
    ...(settings?.subset ? [`subset ${settings.subset}`] : []),
    ...(judge === null ? [] : [`judged by ${judge.name}`]),
  ];
}
