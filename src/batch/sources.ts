/** From the inputs that a person names (folders, patterns, files, JSON lines) to the sources of a batch, in a fixed order. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { globSync, isDynamicPattern } from 'tinyglobby';
import { CogVLM2Error } from '../errors.ts';
import { fsPath, nameOf, readProblem } from '../files/input-file.ts';
import type { BrokenSource, Source } from './source.ts';
import { readTaskRows } from './task-rows.ts';

export interface FoundSources {
  readonly sources: readonly (Source | BrokenSource)[];
  /** Files in the folders that are neither images nor PDFs by their names. */
  readonly otherFiles: number;
}

/** Files of a folder are chosen by their names. A file that is named itself is judged by its bytes. */
const imageFile = /\.(?:png|jpe?g|webp|gif|bmp|tiff?|heic|heif|avif|pdf)$/i;
const rowFile = /\.(?:jsonl|ndjson)$/i;

/**
 * @throws CogVLM2Error file_not_found, invalid_value (no question)
 */
export function findSources(inputs: readonly string[], questions: readonly string[]): FoundSources {
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
        if (imageFile.test(file)) add(path.join(input, file));
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
    throw missing(`There is no image or PDF file in ${inputs.join(', ')}${others}.`);
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

/** Sorted. Names that begin with a dot are left out, unless the pattern has the dot. */
function filesMatching(pattern: string, folder?: string): string[] {
  // On Windows a backslash separates folders; in a pattern it would escape the next character.
  const posix = path.sep === '\\' ? pattern.replaceAll('\\', '/') : pattern;
  let failure: CogVLM2Error | undefined;
  const found = globSync(posix, {
    expandDirectories: false,
    absolute: path.isAbsolute(pattern),
    ...(folder !== undefined && { cwd: path.resolve(folder) }),
    fs: {
      /** Keeps names that are not UTF-8, and keeps pipes and devices, so that they are named in the output. */
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
