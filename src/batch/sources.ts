/** Turns the inputs of the command line (folders, patterns, files, JSON lines) into the sources of a batch, in a fixed order. */

import { closeSync, readdirSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { globSync, isDynamicPattern } from 'tinyglobby';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { checkInputFile, fsPath, nameOf, openInputFile, readProblem } from '../files/input-file.ts';
import { numberText, parseJson } from '../files/json.ts';
import { eachLine, textOf } from '../files/text.ts';
import { imageFileName, videoFileName } from '../image/formats.ts';

export interface FoundSources {
  readonly sources: readonly (Source | BrokenSource)[];
  /** Number of files in the folders that are no images, PDFs or (for a video model) videos. Their names decide. */
  readonly otherFiles: number;
}

/** Files of a folder are selected by their names. For a file on the command line, its bytes decide. */
const isReadable = (file: string, takesVideo: boolean) =>
  imageFileName.test(file) || /\.pdf$/i.test(file) || (takesVideo && videoFileName.test(file));
const rowFile = /\.(?:jsonl|ndjson)$/i;

/**
 * @param takesVideo whether videos in a folder are sources
 * @throws CogVLM2Error file_not_found, invalid_value (no question)
 */
export function findSources(
  inputs: readonly string[],
  questions: readonly string[],
  takesVideo = false,
): FoundSources {
  const sources = new Map<string, Source | BrokenSource>();
  let otherFiles = 0;
  const add = (file: string) => {
    const idJson = JSON.stringify(file);
    sources.set(file, { idJson, input: file, location: { path: file }, questions, page: null });
  };
  for (const input of inputs) {
    const stat = statSync(fsPath(input), { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      for (const file of filesMatching('**/*', input)) {
        if (isReadable(file, takesVideo)) add(path.join(input, file));
        else otherFiles++;
      }
    } else if (stat !== undefined && rowFile.test(input)) {
      for (const source of readTaskRows(input, questions)) sources.set(`${input}\0${source.idJson}`, source);
    } else if (stat !== undefined) add(input);
    else if (isDynamicPattern(input)) {
      const matches = filesMatching(input);
      if (matches.length === 0) throw missing(`No file matches ${JSON.stringify(input)}.`);
      matches.forEach(add);
    } else throw missing(`There is no file or folder ${JSON.stringify(input)}.`);
  }
  if (sources.size === 0) {
    const others = otherFiles === 0 ? '' : ` (${otherFiles} other ${otherFiles === 1 ? 'file' : 'files'})`;
    const kinds = takesVideo ? 'image, video or PDF' : 'image or PDF';
    throw missing(`There is no ${kinds} file in ${inputs.join(', ')}${others}.`);
  }
  const found = [...sources.values()];
  if (found.some((source) => !('problem' in source) && source.questions.length === 0)) {
    throw new CogVLM2Error(
      'invalid_value',
      'A question is needed, as in `cogvlm2 batch scans --question "What is the total?" --output answers.jsonl`.',
    );
  }
  return { sources: found, otherFiles };
}

/** Sorted. Omits names that begin with a dot, unless the pattern contains the dot. */
function filesMatching(pattern: string, folder?: string): string[] {
  // On Windows a backslash separates folders. In a pattern it would escape the next character.
  const posix = path.sep === '\\' ? pattern.replaceAll('\\', '/') : pattern;
  let failure: CogVLM2Error | undefined;
  const found = globSync(posix, {
    expandDirectories: false,
    absolute: path.isAbsolute(pattern),
    ...(folder !== undefined && { cwd: path.resolve(folder) }),
    fs: {
      /** Keeps names that are not UTF-8, pipes and devices, so that the output has an error line for each. */
      readdirSync: ((name: string) => {
        try {
          return readdirSync(fsPath(name), { withFileTypes: true, encoding: 'buffer' }).map((entry) => ({
            name: nameOf(entry.name),
            isDirectory: () => entry.isDirectory(),
            isSymbolicLink: () => entry.isSymbolicLink(),
            isFile: () => !entry.isDirectory() && !entry.isSymbolicLink(),
          }));
        } catch (cause) {
          failure ??= missing(
            `The folder ${JSON.stringify(name)} cannot be read: ${readProblem(cause)}.`,
            cause,
          );
          throw cause;
        }
      }) as unknown as typeof readdirSync,
    },
  });
  if (failure !== undefined) throw failure;
  return found.sort();
}

function missing(message: string, cause?: unknown): CogVLM2Error {
  return new CogVLM2Error('file_not_found', message, { cause });
}

// JSON lines with images or videos and questions. A line is `{"image": "a.png", "question": "…"}`.

const text = z.string().refine((value) => value.trim() !== '', 'is empty');

/** Other fields are ignored. `null` means that the field is absent: pandas and SQL exports write absent fields this way. */
const rowSchema = z
  .looseObject({
    id: z.union([text, z.number()]).nullish(),
    picture: text.nullish(),
    image: text.nullish(),
    video: text.nullish(),
    page: z.int().min(1).nullish(),
    question: text.nullish(),
    questions: z.array(text).min(1).nullish(),
  })
  .refine(
    ({ picture, image, video }) => [picture, image, video].filter((each) => each != null).length === 1,
    'needs either image (or picture) or video',
  )
  .refine((row) => row.question == null || row.questions == null, 'has question and questions');

/**
 * @param questions questions of the command line, for rows without a question
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
      const problem = `an earlier row has the same id, ${source.idJson}`;
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
  const image = locationIn(row);
  const asked = row.questions ?? (row.question == null ? questions : [row.question]);
  const isDataUrl = /^data:/i.test(image);
  const input = isDataUrl ? `${image.slice(0, 40)}…` : path.join(path.isAbsolute(image) ? '' : folder, image);
  if (asked.length === 0) {
    return { idJson, input, problem: 'the row has no question, and there is no --question' };
  }
  const location = isDataUrl ? { dataUrl: readAgain } : { path: input };
  return { idJson, input, location, questions: [...new Set(asked)], page: row.page ?? null };
}

function locationIn({ picture, image, video }: z.output<typeof rowSchema>): string {
  return picture ?? image ?? video ?? '';
}

function readDataUrl(file: string, offset: number, sizeBytes: number): string {
  const descriptor = openInputFile(file);
  try {
    const bytes = Buffer.alloc(sizeBytes);
    const count = readSync(descriptor, bytes, 0, sizeBytes, offset);
    const row = rowSchema.parse(parseJson(bytes.toString('utf8', 0, count), file));
    return locationIn(row);
  } finally {
    closeSync(descriptor);
  }
}

// The sources of a batch.

/** An image, a PDF or a video, with its questions. */
export interface Source {
  /** The `id` of the output as JSON text: the path of the file, or the row's id with all digits. */
  readonly idJson: string;
  /** The `input` of the output: the path, or the beginning of a data URL. */
  readonly input: string;
  /** A data URL is read from its file again when it runs, so that memory holds one data URL at a time. */
  readonly location: { readonly path: string } | { readonly dataUrl: () => Promise<string> };
  readonly questions: readonly string[];
  /** Page, counted from 1; null: an image, or all pages of a PDF. */
  readonly page: number | null;
}

/** A row that cannot run. The output gets an error line for it. */
export interface BrokenSource {
  readonly idJson: string;
  readonly input: string;
  readonly problem: string;
}
