/** From what a person names (folders, patterns, files, a JSONL of rows) to the sources, in an order that stays. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { globExpression, globRoot, isGlob } from './glob.ts';
import type { BrokenSource, Source } from './source.ts';
import { readTaskRows } from './task-rows.ts';

export interface FoundSources {
  readonly sources: readonly (Source | BrokenSource)[];
  /** Files of the folders that are neither pictures nor PDFs by their names. */
  readonly otherFiles: number;
}

const readable = /\.(?:png|jpe?g|webp|pdf)$/i;
const rowFile = /\.(?:jsonl|ndjson)$/i;

/** @throws CogVLM2Error file_not_found, invalid_value (nothing found, no question) */
export function findSources(inputs: readonly string[], questions: readonly string[]): FoundSources {
  const sources = new Map<string, Source | BrokenSource>();
  let otherFiles = 0;
  const add = (file: string) => {
    sources.set(file, { id: file, input: file, location: { path: file }, questions, page: null });
  };
  for (const input of inputs) {
    const stat = statSync(input, { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      for (const file of filesBelow(input)) {
        if (readable.test(file)) add(file);
        else otherFiles++;
      }
    } else if (stat !== undefined && rowFile.test(input)) {
      for (const source of readTaskRows(input, questions)) sources.set(`${input}\0${source.id}`, source);
    } else if (stat !== undefined) add(input);
    else if (isGlob(input)) {
      const expression = globExpression(path.posix.normalize(input));
      const matches = filesBelow(globRoot(input)).filter((file) => expression.test(file));
      if (matches.length === 0) throw missing(`No file matches ${JSON.stringify(input)}.`);
      matches.forEach(add);
    } else throw missing(`There is no file or folder ${JSON.stringify(input)}.`);
  }
  if (sources.size === 0) {
    const others = otherFiles === 0 ? '' : ` (${otherFiles} other ${otherFiles === 1 ? 'file' : 'files'})`;
    throw missing(`There is no PNG, JPEG, WebP or PDF file in ${inputs.join(', ')}${others}.`);
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

/** With their paths from the folder's own, sorted; names that begin with a dot are passed over. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
      .filter((file) => !/(?:^|\/)\.[^/.]/.test(path.relative(folder, file)))
      .sort();
  } catch (cause) {
    throw missing(`The folder ${JSON.stringify(folder)} cannot be read.`, cause);
  }
}

function missing(message: string, cause?: unknown): CogVLM2Error {
  return new CogVLM2Error('file_not_found', message, { cause });
}
