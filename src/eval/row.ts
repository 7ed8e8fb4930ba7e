/** One row of a data or predictions file: its fields under the names that the benchmarks' files use. */

import { CogVLM2Error } from '../errors.ts';
import { parseListLiteral } from './python/parse.ts';
import { PythonFloat, PythonTuple, type PythonValue, str, strip } from './python/values.ts';

export type Row = Readonly<Record<string, unknown>>;

export function isRow(value: unknown): value is Row {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof PythonFloat)
  );
}

/** Null, a missing field and NaN are the empty cells of a table. */
export function isMissing(value: unknown): boolean {
  return value === undefined || value === null || (value instanceof PythonFloat && Number.isNaN(value.value));
}

/** The first of the fields that exists, as text. */
export function optionalText(row: Row, ...names: string[]): string | undefined {
  const name = names.find((name) => !isMissing(row[name]));
  return name === undefined ? undefined : asText(row[name], name);
}

export function text(row: Row, ...names: string[]): string {
  const value = optionalText(row, ...names);
  if (value === undefined) throw invalid(`has no ${names.join(' or ')}`);
  return value;
}

/** The id of a row, under any of the names that the files use. */
export function idOf(row: Row): string | number | undefined {
  const ids = ['id', 'question_id', 'questionId', 'index'].map((name) => row[name]);
  const id = ids.find(
    (id) => id instanceof PythonFloat || ['string', 'number', 'bigint'].includes(typeof id),
  );
  if (id === undefined || typeof id === 'string' || typeof id === 'number') return id;
  const number = id instanceof PythonFloat ? id.value : Number(id);
  return id instanceof PythonFloat || Number.isSafeInteger(number) ? number : String(id);
}

const predictionNames = ['prediction', 'response', 'predict'];

/** The model's answer. An empty field is the empty answer. */
export function prediction(row: Row): string {
  if (!predictionNames.some((name) => name in row)) throw invalid('has no prediction');
  return optionalText(row, ...predictionNames) ?? '';
}

/** The words with which a server refused the question by its policy; undefined for an answer. */
export function refusalOf({ run }: Row): string | undefined {
  if (!isRow(run) || run.finishReason !== 'refused') return undefined;
  return typeof run.refusal === 'string' ? run.refusal : '';
}

/** Whether the model gave an empty answer. */
export function isUnanswered(row: Row): boolean {
  if (refusalOf(row) !== undefined) return false;
  const name = predictionNames.find((name) => name in row);
  return name !== undefined && (isMissing(row[name]) || strip(asText(row[name], name)) === '');
}

/** `answers` or `answer`: a list, or the text of one answer. */
export function answers(row: Row): string[] {
  const { name, value } = answerField(row);
  return Array.isArray(value) ? value.map((item) => asText(item, name)) : [asText(value, name)];
}

function answerField(row: Row): { name: string; value: unknown } {
  const name = ['answers', 'answer', 'label', 'ground_truth'].find((name) => !isMissing(row[name]));
  if (name === undefined) throw invalid('has no answers');
  return { name, value: row[name] };
}

/** Like `answers`; a text that is a Python list literal gives its elements, as in the TSV files. */
export function listedAnswers(row: Row): string[] {
  const { value } = answerField(row);
  return (typeof value === 'string' ? parseListLiteral(value)?.map(str) : undefined) ?? answers(row);
}

export function integer(row: Row, name: string): number | undefined {
  const value = row[name];
  if (isMissing(value)) return undefined;
  const number = value instanceof PythonFloat ? value.value : Number(value);
  if (!Number.isSafeInteger(number)) throw invalid(`has ${JSON.stringify(name)} that is not a whole number`);
  return number;
}

/** The question that a row of MMBench is a rotation of; undefined for a row without an index. */
export function rotatedQuestion(row: Row): number | undefined {
  const index = integer(row, 'index');
  return integer(row, 'g_index') ?? (index === undefined ? undefined : index % 1_000_000);
}

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/**
 * The options of a question by letter: from `choices` (or `index2ans`) by letter, from `options` or `choices` as a list or as
 * the literal of a list, or from the columns A to Z. Missing cells are left out.
 */
export function choices(row: Row): Map<string, string> {
  const byLetter = [row.choices, row.index2ans].find(isRow);
  const found = byLetter ?? optionList(row.options) ?? optionList(row.choices) ?? row;
  const present = letters.filter((letter) => !isMissing(found[letter]));
  return new Map(present.map((letter) => [letter, asText(found[letter], letter)]));
}

function optionList(options: unknown): Row | undefined {
  const list = typeof options === 'string' ? parseListLiteral(options) : options;
  if (isMissing(list)) return undefined;
  if (!Array.isArray(list)) throw invalid('has options that are not a list');
  if (list.length > letters.length)
    throw invalid(`has ${list.length} options; ${letters.length} is the limit`);
  return Object.fromEntries(list.map((option, i) => [letters[i]!, option]));
}

/** The text of a cell as Python's `str` writes it. */
export function asText(value: unknown, name: string): string {
  if (!isCell(value)) throw invalid(`has ${JSON.stringify(name)} that is neither text nor a number`);
  return str(value);
}

export function isCell(value: unknown): value is PythonValue {
  return (
    ['string', 'number', 'bigint', 'boolean'].includes(typeof value) ||
    value === null ||
    value instanceof PythonFloat ||
    value instanceof PythonTuple ||
    (Array.isArray(value) && value.every(isCell))
  );
}

function invalid(message: string): CogVLM2Error {
  return new CogVLM2Error('invalid_value', message);
}

/** A row, or a text that says why it cannot be read. */
export type SourceRow = Row | string;

/** An open data file, in any format. */
export interface RowSource extends AsyncDisposable {
  /** All rows in order. Images are left out if that saves reading them. */
  scan(): AsyncIterable<SourceRow>;
  /** The complete rows with these numbers (from 0, ascending), one at a time. */
  read(rowNumbers: readonly number[]): AsyncIterable<SourceRow>;
  /** The image cell of the row with this index. Cells of other rows may refer to it. */
  imageOf?(index: string): Promise<unknown>;
}

/** `Map.groupBy`, which Node 20 does not have. */
export function groupBy<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
