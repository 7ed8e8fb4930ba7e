/** Runs a whole batch: reads sources and writes a file of answers. It resumes where an earlier run stopped. */
import { CogVLM2Error } from '../errors.ts';
import { inParallel, isItemError } from '../run/items.ts';
import { RunProgress, type RunState } from '../run/progress.ts';
import type { Backend } from './backend.ts';
import { type ImageTask, imageTasks, parsePages } from './image-tasks.ts';
import { type Answered, type AnswerLine, BatchOutput, type Item, type OutputOptions } from './output.ts';
import type { BrokenSource, Source } from './sources.ts';

export interface BatchOptions extends OutputOptions {
  readonly sources: readonly (Source | BrokenSource)[];
  readonly backend: Backend;
  /** Maximum number of images that run at the same time. */
  readonly parallel: number;
  /** The pages of each PDF, such as "1,3-5"; undefined: all pages. */
  readonly pages: string | undefined;
  /** False if the backend reads the files itself. */
  readonly wantsBytes: boolean;
  /** Answers are JSON. The output has their values as `data`. */
  readonly isJson: boolean;
  readonly signal: AbortSignal;
  onProgress(state: RunState): void;
  onError(item: Item, error: CogVLM2Error): void;
  /** Called before the line is written. */
  onAnswer?(line: AnswerLine): void;
  /** Called at the end of the run, also after an error. */
  onEnd(counts: BatchCounts): void;
}

/** Numbers of lines in the output. */
export interface BatchCounts {
  readonly answers: number;
  readonly errors: number;
  /** Answers and errors of earlier runs. */
  readonly earlier: number;
}

/**
 * @throws CogVLM2Error invalid_value (other settings, another file, pages), write_failed, `aborted`, or a failure of the model
 * or the machine. The output keeps all answers that were finished before.
 */
export async function batch(options: BatchOptions): Promise<BatchCounts> {
  const wantsPage = options.pages === undefined ? () => true : parsePages(options.pages);
  using output = new BatchOutput(options);
  const earlier = output.answers + output.errors;
  const counts = () => ({ answers: output.answers, errors: output.errors, earlier });
  try {
    await runAll(options, output, wantsPage);
  } finally {
    options.onEnd(counts());
  }
  return counts();
}

async function runAll(
  options: BatchOptions,
  output: BatchOutput,
  wantsPage: (page: number) => boolean,
): Promise<void> {
  const { sources, signal } = options;
  const guesses = sources.map((source) => ('problem' in source ? 1 : source.questions.length));
  const progress = new RunProgress(options.onProgress);
  let opened = 0;
  const onSource = (questions: number, waiting: number) =>
    progress.add(questions - guesses[opened++]!, questions - waiting);
  // A PDF counts as one page until it is opened.
  progress.add(
    guesses.reduce((sum, questions) => sum + questions, 0),
    0,
  );
  const tasks = imageTasks(sources, { ...options, wantsPage, done: output, onSource });
  await inParallel(tasks, options.parallel, (task) => answerAll(task, options, output, progress));
  throwIfStopped(signal);
}

async function answerAll(
  task: ImageTask,
  options: BatchOptions,
  output: BatchOutput,
  progress: RunProgress,
): Promise<void> {
  const { signal, backend } = options;
  const { input, page } = task.items[0]!;
  using image = progress.begin(page === null ? input : `${input}, page ${page}`, task.items.length);
  const fail = (item: Item, error: unknown) => {
    throwIfStopped(signal);
    if (!isItemError(error)) throw error;
    output.append({ ...item, error: { code: error.code, message: error.message } });
    options.onError(item, error);
    image.finish();
  };
  if (task.image instanceof CogVLM2Error) {
    for (const item of task.items) fail(item, task.image);
    return;
  }
  throwIfStopped(signal);
  const answered = new Set<Item>();
  try {
    const onStage = image.stage.bind(image);
    await using open = await backend.open(task.image, { questions: task.items.length, signal, onStage });
    for (const item of task.items) {
      try {
        const line = lineOf(item, await open.ask(item, signal), options.isJson);
        options.onAnswer?.(line);
        output.append(line);
        image.finish(line.timings);
      } catch (error) {
        fail(item, error);
      }
      answered.add(item);
    }
  } catch (error) {
    for (const item of task.items) if (!answered.has(item)) fail(item, error);
  }
}

function lineOf(item: Item, answered: Answered, isJson: boolean): AnswerLine {
  const line = { ...item, ...answered };
  return isJson
    ? { ...line, data: answered.finishReason === 'stop' ? JSON.parse(answered.answer) : null }
    : line;
}

function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new CogVLM2Error('aborted', 'Stopped.', { cause: signal.reason });
}
