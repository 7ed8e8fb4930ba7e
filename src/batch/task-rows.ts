/** JSON lines of images and questions: `{"image": "a.png", "question": "…"}` in each line. */

import { closeSync, readSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { checkInputFile, openInputFile } from '../files/input-file.ts';
import { numberText, parseJson } from '../files/json.ts';
import { eachLine, textOf } from '../files/text.ts';
import type { BrokenSource, Source } from './source.ts';

const text = z.string().refine((value) => value.trim() !== '', 'is empty');

/** Other fields belong to the caller. `null` means that the field is absent, as pandas and SQL exports write it. */
const rowSchema = z
  .looseObject({
    id: z.union([text, z.number()]).nullish(),
    picture: text.nullish(),
    image: text.nullish(),
    page: z.int().min(1).nullish(),
    question: text.nullish(),
    questions: z.array(text).min(1).nullish(),
  })
  .refine((row) => (row.picture == null) !== (row.image == null), 'needs either image or picture')
  .refine((row) => row.question == null || row.questions == null, 'has question and questions');

/**
 * @param questions those of the command line, for rows without a question
 * @throws CogVLM2Error file_not_found; invalid_value (not UTF-8, a Git LFS pointer)
 */
export function readTaskRows(file: string, questions: readonly string[]): (Source | BrokenSource)[] {
  const sources: (Source | BrokenSource)[] = [];
  const ids = new Set<string>();
  const take = (line: string, lineNumber: number, offset: number, sizeBytes: number) => {
    if (line.trim() === '') return;
    const place = `${file}:${lineNumber}`;
    const readAgain = async () => readDataUrl(file, offset, sizeBytes);
    const source = parseRow(line, place, path.dirname(file), questions, readAgain);
    const placeJson = JSON.stringify(place);
    if (source.idJson !== placeJson && ids.has(source.idJson)) {
      const problem = `the id ${source.idJson} is that of an earlier row`;
      sources.push({ idJson: placeJson, input: place, problem });
    } else sources.push(source);
    ids.add(source.idJson);
  };
  checkInputFile(file);
  const descriptor = openInputFile(file);
  try {
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
    closeSync(descriptor);
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
  const placeJson = JSON.stringify(place);
  let value: unknown;
  try {
    value = parseJson(line, 'the line');
  } catch (error) {
    const problem = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    return { idJson: placeJson, input: place, problem };
  }
  const { data: row, error } = rowSchema.safeParse(value);
  if (row === undefined) {
    const { path: field, message } = error.issues[0]!;
    const where = field.length === 0 ? '' : `${field.join('.')} `;
    const problem = `the row's ${where}${message}`.replace(/^(the row)'s (needs|has)/, '$1 $2');
    return { idJson: placeJson, input: place, problem };
  }
  const idJson = row.id == null ? placeJson : (numberText(line, 'id') ?? JSON.stringify(row.id));
  const image = row.picture ?? row.image ?? '';
  const asked = row.questions ?? (row.question == null ? questions : [row.question]);
  const isDataUrl = /^data:/i.test(image);
  const input = isDataUrl ? `${image.slice(0, 40)}…` : path.join(path.isAbsolute(image) ? '' : folder, image);
  if (asked.length === 0) {
    return { idJson, input, problem: 'the row has no question, and there is no --question' };
  }
  const location = isDataUrl ? { dataUrl: readAgain } : { path: input };
  return { idJson, input, location, questions: [...new Set(asked)], page: row.page ?? null };
}

function readDataUrl(file: string, offset: number, sizeBytes: number): string {
  const descriptor = openInputFile(file);
  try {
    const bytes = Buffer.alloc(sizeBytes);
    const count = readSync(descriptor, bytes, 0, sizeBytes, offset);
    const row = rowSchema.parse(parseJson(bytes.toString('utf8', 0, count), file));
    return row.picture ?? row.image ?? '';
  } finally {
    closeSync(descriptor);
  }
}
