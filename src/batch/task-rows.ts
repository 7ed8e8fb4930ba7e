/** A JSONL of pictures and questions: `{"picture": "a.png", "question": "…"}` a line. */
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { eachLine } from '../files/lines.ts';
import { textOf } from '../files/utf8.ts';
import type { BrokenSource, Source } from './source.ts';

const text = z.string().refine((value) => value.trim() !== '', 'is empty');

/** Further fields are the caller's own and are left alone. */
const rowSchema = z
  .looseObject({
    id: z.union([text, z.number()]).optional(),
    picture: text.optional(),
    image: text.optional(),
    page: z.int().min(1).optional(),
    question: text.optional(),
    questions: z.array(text).min(1).optional(),
  })
  .refine((row) => (row.picture === undefined) !== (row.image === undefined), 'needs one of picture, image')
  .refine((row) => row.question === undefined || row.questions === undefined, 'has question and questions');

/**
 * @param questions those of the command line, for rows that have none
 * @throws CogVLM2Error file_not_found, invalid_value (not UTF-8)
 */
export function readTaskRows(file: string, questions: readonly string[]): (Source | BrokenSource)[] {
  const sources: (Source | BrokenSource)[] = [];
  const ids = new Set<string>();
  const take = (line: string, lineNumber: number, offset: number, sizeBytes: number) => {
    if (line.trim() === '') return;
    const place = `${file}:${lineNumber}`;
    const readAgain = () => readDataUrl(file, offset, sizeBytes);
    const source = parseRow(line, place, path.dirname(file), questions, readAgain);
    if (source.id !== place && ids.has(source.id)) {
      sources.push({ id: place, input: place, problem: `the id "${source.id}" is that of an earlier row` });
    } else sources.push(source);
    ids.add(source.id);
  };
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    let lines = 0;
    const { wholeBytes, rest } = eachLine(descriptor, file, (line, lineNumber, offset, sizeBytes) => {
      lines = lineNumber;
      take(line, lineNumber, offset, sizeBytes);
    });
    take(textOf(rest, `Line ${lines + 1} of ${file}`), lines + 1, wholeBytes, rest.length);
  } catch (cause) {
    if (cause instanceof CogVLM2Error) throw cause;
    throw new CogVLM2Error('file_not_found', `${file} cannot be read: ${String(cause)}.`, { cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return sources;
}

function parseRow(
  line: string,
  place: string,
  folder: string,
  questions: readonly string[],
  readAgain: () => Promise<string>,
): Source | BrokenSource {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { id: place, input: place, problem: 'the line is not JSON' };
  }
  const { data: row, error } = rowSchema.safeParse(value);
  if (row === undefined) {
    const { path: field, message } = error.issues[0]!;
    const where = field.length === 0 ? '' : `${field.join('.')} `;
    return {
      id: place,
      input: place,
      problem: `the row's ${where}${message}`.replace(/^(the row)'s (needs|has)/, '$1 $2'),
    };
  }
  const id = row.id === undefined ? place : String(row.id);
  const picture = row.picture ?? row.image ?? '';
  const asked = row.questions ?? (row.question === undefined ? questions : [row.question]);
  const isDataUrl = /^data:/i.test(picture);
  const input = isDataUrl
    ? `${picture.slice(0, 40)}…`
    : path.join(path.isAbsolute(picture) ? '' : folder, picture);
  if (asked.length === 0)
    return { id, input, problem: 'the row has no question, and neither has --question' };
  const location = isDataUrl ? { dataUrl: readAgain } : { path: input };
  return { id, input, location, questions: [...new Set(asked)], page: row.page ?? null };
}

/** Not kept from the first reading, when all the rows' pictures together may be more than the memory. */
async function readDataUrl(file: string, offset: number, sizeBytes: number): Promise<string> {
  await using handle = await open(file, 'r');
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset);
  const row: { picture?: string; image?: string } = JSON.parse(
    buffer.subarray(0, bytesRead).toString('utf8'),
  );
  return row.picture ?? row.image ?? '';
}
