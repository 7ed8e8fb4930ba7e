/**
 * The output of a batch: a file of JSON lines, to which lines are only appended, and FILE.settings.json with all settings that
 * the answers depend on. A resumed run skips each item that has a line. Lines can also go to a stream. A stream cannot be resumed.
 */

import { existsSync, statSync } from 'node:fs';
import { z } from 'zod';
import { CogVLM2Error, type ErrorCode } from '../errors.ts';
import { Journal } from '../files/journal.ts';
import { numberText, readJsonFile } from '../files/json.ts';
import { writeFileWhole } from '../files/writing.ts';
import type { FinishReason, Timings, Usage } from '../generate/types.ts';
import { checkSameSettings } from '../run/resume.ts';

const lineSchema = z.looseObject({
  id: z.union([z.string(), z.number()]),
  input: z.string(),
  page: z.int().nullish(),
  pageCount: z.int().nullish(),
  question: z.string().nullish(),
  error: z.looseObject({}).nullish(),
});

export interface OutputOptions {
  /** Path of the file, or a function that receives each line. */
  readonly output: string | ((line: string) => void);
  /** All settings that the answers depend on, as JSON. A run with other settings cannot resume the file. */
  readonly settings: object;
  /** Whether to remove lines with an error, so that these items run again. */
  readonly retryErrors: boolean;
  /** Returns true for items that need no answer although they have no line. */
  isDone?(item: Item): boolean;
}

export class BatchOutput implements Disposable {
  readonly #options: OutputOptions;
  readonly #journal: Journal | undefined;
  readonly #done = new Set<string>();
  readonly #pageCounts = new Map<string, number>();
  /** Includes the lines of earlier runs. */
  answers = 0;
  errors = 0;

  /** @throws CogVLM2Error invalid_value (other settings, with both values; a file of another kind), write_failed */
  constructor(options: OutputOptions) {
    const { output: file, settings, retryErrors } = options;
    this.#options = options;
    if (typeof file !== 'string') return;
    checkSettings(file, settings);
    if (retryErrors) dropErrors(file);
    this.#journal = new Journal(file, (value, lineNumber, text) => {
      const { data: line } = lineSchema.safeParse(value);
      if (line === undefined) {
        throw new CogVLM2Error(
          'invalid_value',
          `Line ${lineNumber} of ${file} was not written by cogvlm2 batch.`,
        );
      }
      const idJson = numberText(text, 'id') ?? JSON.stringify(line.id);
      const { input, page = null, pageCount = null, question = null, error } = line;
      this.#count({ idJson, input, page, pageCount, question }, error != null);
    });
    try {
      // This process holds the journal's lock, so no other run writes the settings.
      writeFileWhole(settingsPath(file), `${JSON.stringify(settings, null, 2)}\n`);
    } catch (error) {
      this.#journal[Symbol.dispose]();
      throw error;
    }
  }

  has(item: Item): boolean {
    return this.#done.has(keyOf(item)) || (this.#options.isDone?.(item) ?? false);
  }

  /** The number of pages of an input, if a line contains it. */
  pageCountOf(input: string): number | undefined {
    return this.#pageCounts.get(input);
  }

  append(line: AnswerLine | ErrorLine): void {
    if (this.#done.has(keyOf(line))) return;
    const text = lineText(line);
    if (typeof this.#options.output === 'function') this.#options.output(text);
    else this.#journal?.appendText(text);
    this.#count(line, 'error' in line);
  }

  [Symbol.dispose](): void {
    this.#journal?.[Symbol.dispose]();
  }

  #count(item: Item, isError: boolean): void {
    this.#done.add(keyOf(item));
    if (item.pageCount !== null) this.#pageCounts.set(item.input, item.pageCount);
    if (isError) this.errors++;
    else this.answers++;
  }
}

/** Closes the journal before it replaces the file. A run that starts in between finds only whole lines. */
function dropErrors(file: string): void {
  if (!existsSync(file)) return;
  const kept: string[] = [];
  let count = 0;
  {
    using _ = new Journal(file, (value, _lineNumber, text) => {
      count++;
      if (!(typeof value === 'object' && value !== null && 'error' in value && value.error != null))
        kept.push(text);
    });
  }
  if (kept.length < count) writeFileWhole(file, kept.map((text) => `${text}\n`).join(''));
}

function settingsPath(file: string): string {
  return `${file}.settings.json`;
}

function checkSettings(file: string, settings: object): void {
  const isBegun = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (!isBegun) return;
  if (!existsSync(settingsPath(file))) {
    throw new CogVLM2Error(
      'invalid_value',
      `${file} exists, but ${settingsPath(file)} does not, so cogvlm2 batch did not write it. Give another --output.`,
    );
  }
  checkSameSettings(file, readJsonFile(settingsPath(file)), JSON.parse(JSON.stringify(settings)));
}

// The lines of a batch's output. docs/batch.md promises their shape.

/** One question about one image, or about one page of a PDF. */
export interface Item {
  /** The line's `id` as JSON text: a path in quotes, or the row's id with all digits. */
  readonly idJson: string;
  readonly input: string;
  /** Page of a PDF, counted from 1. */
  readonly page: number | null;
  readonly pageCount: number | null;
  /** Null if the input could not be read. */
  readonly question: string | null;
}

export interface Answered {
  readonly answer: string;
  readonly finishReason: Exclude<FinishReason, 'aborted'>;
  readonly seed: number;
  readonly usage: Usage;
  readonly timings: Omit<Timings, 'perTokenMs'>;
  readonly model: string;
  /** Parts of the request or the image that were ignored or changed. */
  readonly warnings?: readonly string[] | undefined;
}

export function withWarnings(answered: Answered, warnings: readonly string[]): Answered {
  const all = [...new Set([...warnings, ...(answered.warnings ?? [])])];
  return all.length === 0 ? answered : { ...answered, warnings: all };
}

/** With a schema, `data` is the parsed answer; null if the answer was cut at the token limit. */
export type AnswerLine = Item & Answered & { readonly data?: unknown };

export type ErrorLine = Item & { readonly error: { readonly code: ErrorCode; readonly message: string } };

/** The line as JSON text. The id keeps its original text, because `JSON.stringify` would round a number above 2^53. */
function lineText({ idJson, ...rest }: AnswerLine | ErrorLine): string {
  return `{"id":${idJson},${JSON.stringify(rest).slice(1)}`;
}

/** A key of the input and the question. Two items of a file with the same key are the same item. */
export function keyOf({ idJson, input, page, question }: Item): string {
  return JSON.stringify([idJson, input, page, question]);
}
