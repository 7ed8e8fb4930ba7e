/** Asks every question of every source, and keeps each answer as it comes. */
import { CogVLM2Error } from '../errors.ts';
import { inParallel } from '../run/in-parallel.ts';
import { isItemError } from '../run/item-errors.ts';
import type { Answered, AnswerLine, Item } from './line.ts';
import { type Look, looksOf } from './looks.ts';
import type { BatchOutput } from './output.ts';
import type { BrokenSource, Source } from './source.ts';
import type { Viewer } from './viewer.ts';

export interface RunOptions {
  readonly sources: readonly (Source | BrokenSource)[];
  readonly output: BatchOutput;
  readonly viewer: Viewer;
  /** Pictures that are on their way at the same time. */
  readonly parallel: number;
  /** Which pages of every PDF. */
  wantsPage(page: number): boolean;
  /** False where the viewer opens the files itself. */
  readonly wantsBytes: boolean;
  /** Answers are JSON, and go into the output as such too. */
  readonly isJson: boolean;
  readonly signal: AbortSignal;
  /** Questions with a line, earlier ones included, of those known so far: a PDF counts as a page until it is opened. */
  onProgress(done: number, total: number): void;
  onError(item: Item, error: CogVLM2Error): void;
}

/** @throws what ends the run, after the answers that were on their way are kept; `aborted` */
export async function runAll(options: RunOptions): Promise<void> {
  const { sources, output, signal } = options;
  const guesses = sources.map(questionsOf);
  let total = guesses.reduce((sum, questions) => sum + questions, 0);
  let done = 0;
  let opened = 0;
  const onLine = () => options.onProgress(++done, total);
  const looks = looksOf(sources, {
    ...options,
    done: output,
    onSource(questions, waiting) {
      total += questions - guesses[opened++]!;
      done += questions - waiting;
      options.onProgress(done, total);
    },
  });
  await inParallel(looks, options.parallel, (look) => answerAll(look, options, onLine));
  throwIfStopped(signal);
}

async function answerAll(look: Look, options: RunOptions, onLine: () => void): Promise<void> {
  const { output, signal, viewer } = options;
  const fail = (item: Item, error: unknown) => {
    throwIfStopped(signal);
    if (!isItemError(error)) throw error;
    output.append({ ...item, error: { code: error.code, message: error.message } });
    options.onError(item, error);
    onLine();
  };
  if (look.picture instanceof CogVLM2Error) {
    for (const item of look.items) fail(item, look.picture);
    return;
  }
  throwIfStopped(signal);
  try {
    await using looking = await viewer.look(look.picture, look.items.length, signal);
    for (const item of look.items) {
      try {
        output.append(lineOf(item, await looking.ask(item, signal), options.isJson));
        onLine();
      } catch (error) {
        fail(item, error);
      }
    }
  } catch (error) {
    for (const item of look.items) fail(item, error);
  }
}

function lineOf(item: Item, answered: Answered, isJson: boolean): AnswerLine {
  const line = { ...item, ...answered };
  return isJson
    ? { ...line, data: answered.finishReason === 'stop' ? JSON.parse(answered.answer) : null }
    : line;
}

function questionsOf(source: Source | BrokenSource): number {
  return 'problem' in source ? 1 : source.questions.length;
}

function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new CogVLM2Error('aborted', 'Stopped.', { cause: signal.reason });
}
