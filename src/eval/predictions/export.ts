/** Exports answers in the format that the benchmark's evaluation server accepts. */
import { CogVLM2Error } from '../../errors.ts';
import { writeFileWhole } from '../../files/writing.ts';
import {
  asText,
  choices,
  integer,
  isCell,
  isMissing,
  optionalText,
  prediction,
  type Row,
  text,
} from '../row.ts';
import { parseLetter } from '../score/mmmu.ts';
import { readRows } from './file.ts';

export interface Exported {
  readonly answers: number;
  /** Questions without an answer. They are not in the file. */
  readonly missing: number;
}

/** @throws CogVLM2Error `file_not_found`, `write_failed`; `invalid_value`, also for a row without a field that the server needs. */
export async function exportAnswers(benchmark: string, file: string, output: string): Promise<Exported> {
  const write = Object.hasOwn(shapes, benchmark) ? shapes[benchmark] : undefined;
  if (write === undefined) {
    const known = Object.keys(shapes).join(', ');
    throw new CogVLM2Error('invalid_value', `There is no export format for ${benchmark}, only for ${known}.`);
  }
  const { rows } = await readRows(file);
  const answered = rows.filter(({ error }) => typeof error !== 'string');
  writeFileWhole(output, write(answered.map(named)));
  return { answers: answered.length, missing: rows.length - answered.length };
}

interface Answer {
  readonly row: Row;
  /** For errors. */
  readonly label: string;
}

function named(row: Row, i: number): Answer {
  return { row, label: `answer ${i + 1}` };
}

const shapes: Readonly<Record<string, (answers: readonly Answer[]) => string>> = {
  textvqa: (answers) => asJson(answers.map(withNumber('question_id'))),
  docvqa: (answers) => asJson(answers.map(withNumber('questionId'))),
  mmmu: (answers) => asJson(Object.fromEntries(answers.map(mmmuAnswer))),
  mmbench: asTable,
};

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}

function withNumber(name: string): (answer: Answer) => Record<string, unknown> {
  return ({ row, label }) => {
    const id = integer(row, name);
    if (id === undefined)
      throw new CogVLM2Error('invalid_value', `${label} has no ${name}, which the server needs.`);
    return { [name]: id, answer: prediction(row) };
  };
}

/** The option letter if one is found, otherwise the text, which the server parses. */
function mmmuAnswer({ row }: Answer): [string, string] {
  const options = choices(row);
  const said = prediction(row);
  return [text(row, 'id'), (options.size > 0 ? parseLetter(said, options) : undefined) ?? said];
}

const notInTable = new Set(['id', 'run', 'image', 'image_path', 'prediction']);

/** VLMEvalKit's table of predictions: the columns of the data without images, and the prediction. */
function asTable(answers: readonly Answer[]): string {
  const named = answers.flatMap(({ row }) => Object.keys(row).filter((name) => isCell(row[name])));
  const columns = [...new Set(named)].filter((name) => !notInTable.has(name));
  if (!columns.includes('index'))
    throw new CogVLM2Error('invalid_value', 'The answers have no index, which the server needs.');
  const lines = answers.map(({ row }) => [
    ...columns.map((name) => (isMissing(row[name]) ? '' : asText(row[name], name))),
    optionalText(row, 'prediction') ?? '',
  ]);
  return [[...columns, 'prediction'], ...lines].map((cells) => `${cells.map(quoted).join('\t')}\n`).join('');
}

function quoted(cell: string): string {
  return /[\t\r\n"]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
