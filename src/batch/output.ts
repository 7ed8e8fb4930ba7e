/**
 * The answers of a batch: JSON lines that grow, and beside them, in FILE.settings.json, what they were made with. What
 * has a line is done: a later run passes it over.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { writeFileWhole } from '../files/atomic-file.ts';
import { Journal } from '../files/journal.ts';
import { checkSameSettings } from '../run/same-settings.ts';
import type { AnswerLine, ErrorLine, Item } from './line.ts';

const lineSchema = z.looseObject({
  id: z.string(),
  input: z.string(),
  page: z.int().nullable(),
  pageCount: z.int().nullable(),
  question: z.string().nullable(),
});

export class BatchOutput implements Disposable {
  readonly #journal: Journal;
  readonly #done = new Set<string>();
  readonly #pageCounts = new Map<string, number>();
  /** Of all lines, those of earlier runs included. */
  answers = 0;
  errors = 0;

  /**
   * @param settings everything that answers depend on, as JSON
   * @param retryErrors takes the lines with an error out, so that they are asked again
   * @throws CogVLM2Error invalid_value (other settings, with both values; a file that is something else), write_failed
   */
  constructor(file: string, settings: object, retryErrors: boolean) {
    checkSettings(file, settings);
    if (retryErrors) dropErrors(file);
    this.#journal = new Journal(file, (value, lineNumber) => {
      const { data: line } = lineSchema.safeParse(value);
      if (line === undefined) {
        throw new CogVLM2Error('invalid_value', `Line ${lineNumber} of ${file} is none of cogvlm2 batch.`);
      }
      this.#count(line);
    });
    writeSettings(file, settings);
  }

  has(item: Item): boolean {
    return this.#done.has(keyOf(item));
  }

  /** How many pages an input has, where a line tells. */
  pageCountOf(input: string): number | undefined {
    return this.#pageCounts.get(input);
  }

  append(line: AnswerLine | ErrorLine): void {
    if (this.has(line)) return;
    this.#journal.append(line);
    this.#count(line);
  }

  #count(line: Item & { error?: unknown }): void {
    this.#done.add(keyOf(line));
    if (line.pageCount !== null) this.#pageCounts.set(line.input, line.pageCount);
    if (line.error === undefined) this.answers++;
    else this.errors++;
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}

export function keyOf({ id, input, page, question }: Item): string {
  return JSON.stringify([id, input, page, question]);
}

/** Of a file whose lock is not held yet: a second run between here and there finds whole lines too. */
function dropErrors(file: string): void {
  if (!existsSync(file)) return;
  const kept: unknown[] = [];
  let count = 0;
  {
    using _ = new Journal(file, (value) => {
      count++;
      if (!(typeof value === 'object' && value !== null && 'error' in value)) kept.push(value);
    });
  }
  if (kept.length < count) writeFileWhole(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
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
      `${file} is there already, without ${settingsPath(file)}, so it is no output of cogvlm2 batch. Give another --output.`,
    );
  }
  checkSameSettings(file, readSettings(settingsPath(file)), JSON.parse(JSON.stringify(settings)));
}

/** Behind the journal's opening, whose lock keeps others from writing it. */
function writeSettings(file: string, settings: object): void {
  writeFileWhole(settingsPath(file), `${JSON.stringify(settings, null, 2)}\n`);
}

function readSettings(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CogVLM2Error('invalid_value', `${file} is not JSON.`, { cause });
  }
}
