/** Answers as a table (RFC 4180). The fields of JSON answers become columns. */
import { closeSync } from 'node:fs';
import { z } from 'zod';
import { openInputFile } from '../files/input-file.ts';
import { numberText, parseJson } from '../files/json.ts';
import { eachLine } from '../files/text.ts';
import { writeFileWhole } from '../files/writing.ts';

export interface TableRow {
  /** Columns before the answer, such as id and question. Every row has the same ones. */
  readonly head: Readonly<Record<string, unknown>>;
  /** The value of a JSON answer, or the text of another answer. */
  readonly answer: unknown;
  /** Columns after the answer. */
  readonly tail?: Readonly<Record<string, unknown>>;
}

export function csvTable(rows: readonly TableRow[]): string {
  const heads = new Set<string>();
  const fields = new Set<string>();
  const tails = new Set<string>();
  const flat = rows.map(({ head, answer, tail = {} }) => {
    const cells = flatten(answer);
    for (const name of Object.keys(head)) heads.add(name);
    for (const name of cells.keys()) fields.add(name);
    for (const name of Object.keys(tail)) tails.add(name);
    return { head, cells, tail };
  });
  const lines = flat.map(({ head, cells, tail }) => [
    ...Array.from(heads, (name) => head[name]),
    ...Array.from(fields, (name) => cells.get(name)),
    ...Array.from(tails, (name) => tail[name]),
  ]);
  return [[...heads, ...fields, ...tails], ...lines]
    .map((line) => `${line.map(cellText).join(',')}\r\n`)
    .join('');
}

/** `{ vendor: { name } }` becomes the column `vendor.name`; a list stays one cell of JSON. */
function flatten(value: unknown, prefix = ''): Map<string, unknown> {
  if (value === undefined || (value === null && prefix === '')) return new Map();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Map([[prefix || 'answer', value]]);
  }
  return new Map(
    Object.entries(value).flatMap(([name, inner]) => [
      ...flatten(inner, prefix === '' ? name : `${prefix}.${name}`),
    ]),
  );
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const lineSchema = z.looseObject({
  id: z.unknown(),
  page: z.int().nullish(),
  question: z.string().nullish(),
  answer: z.string().nullish(),
  data: z.unknown().optional(),
  error: z.looseObject({ message: z.string() }).nullish(),
});

/** The lines of a batch as a table. */
export function csvOfLines(lines: Iterable<string>): string {
  return csvTable(Array.from(lines, rowOf));
}

function rowOf(text: string): TableRow {
  const { id, page, question, answer, data, error } = lineSchema.parse(parseJson(text, 'The line'));
  return {
    head: { id: numberText(text, 'id') ?? id, page, question },
    answer: data ?? answer,
    tail: { error: error?.message },
  };
}

/** Writes the table of a batch's output `NAME.jsonl` to `NAME.csv`. @throws CogVLM2Error write_failed */
export function writeCsvBeside(file: string): void {
  const lines: string[] = [];
  const descriptor = openInputFile(file);
  try {
    eachLine(descriptor, file, (line) => lines.push(line));
  } finally {
    closeSync(descriptor);
  }
  const table = `${file.replace(/\.(?:jsonl|ndjson|json|csv)$/i, '')}.csv`;
  // Excel recognizes UTF-8 only by a byte order mark.
  if (table !== file) writeFileWhole(table, `\uFEFF${csvOfLines(lines)}`);
}
