/** Asks a model the questions of a benchmark and keeps every answer as it comes. */
import { CogVLM2Error } from '../errors.ts';
import { inParallel } from '../run/in-parallel.ts';
import { isItemError } from '../run/item-errors.ts';
import { RunProgress, type RunState, type Stage } from '../run/run-progress.ts';
import type { Ask } from './asker.ts';
import type { BrokenRow, DataSet, PlannedQuestion, Question } from './data/data-set.ts';
import type { Settings } from './prediction.ts';
import type { PredictionLog } from './prediction-log.ts';
import { promptOf } from './prompt.ts';
import { PythonFloat } from './python/float.ts';
import { type PythonValue, str } from './python/str.ts';
import { isCell, type Row } from './row.ts';

export interface RunOptions {
  readonly data: DataSet;
  readonly selected: readonly PlannedQuestion[];
  readonly settings: Settings;
  readonly ask: Ask;
  readonly log: PredictionLog;
  /** Questions that are on their way at the same time. */
  readonly parallel: number;
  readonly signal: AbortSignal;
  /** Counts the selected questions. Those of an earlier run are done. */
  onProgress(state: RunState): void;
  /** A question without an answer, and why. */
  onFailure(id: string, why: string): void;
  /** Called when the run ends early, with the counts so far. */
  onStopped(counts: RunCounts): void;
}

export interface RunCounts {
  answered: number;
  /** Had an answer from an earlier run. */
  earlier: number;
  failed: number;
  /** Questions with more pictures than were shown. */
  morePictures: number;
}

/** @throws what ends the run, after the answers that were on their way are kept; `aborted`. */
export async function run(options: RunOptions): Promise<RunCounts> {
  const { data, selected, log, signal } = options;
  const waiting = selected.filter(({ id }) => !log.has(id));
  const counts: RunCounts = {
    answered: 0,
    earlier: selected.length - waiting.length,
    failed: 0,
    morePictures: 0,
  };
  const progress = new RunProgress(options.onProgress);
  progress.add(selected.length, counts.earlier);
  const asked = inParallel(data.questions(waiting), options.parallel, async (question) => {
    signal.throwIfAborted();
    using image = progress.begin(question.id, 1);
    const startedAt = performance.now();
    try {
      await answer(question, options, counts, startedAt, image.stage.bind(image));
      counts.answered += 1;
    } catch (error) {
      signal.throwIfAborted();
      if (!isItemError(error)) throw error;
      counts.failed += 1;
      const { code, message } = error;
      log.append({ id: question.id, error: { code, message }, run: { row: question.place } });
      options.onFailure(question.id, message);
    }
    image.finish();
  });
  await asked.catch((error: unknown) => {
    options.onStopped(counts);
    throw error;
  });
  return counts;
}

async function answer(
  question: Question | BrokenRow,
  { settings, ask, log, signal }: RunOptions,
  counts: RunCounts,
  startedAt: number,
  onStage: (stage: Stage) => void,
): Promise<void> {
  if ('error' in question) throw new CogVLM2Error('invalid_value', question.error);
  const { id, place, row, pictureCount } = question;
  if (pictureCount === 0) throw new CogVLM2Error('invalid_image', 'The row has no picture.');
  const shown = settings.pictures === 'all' ? pictureCount : 1;
  if (pictureCount > shown) counts.morePictures += 1;
  const prompt = promptOf(settings.benchmark, row, settings.profile);
  const pictures = await Promise.all(Array.from({ length: shown }, (_, i) => question.picture(i)));
  const { text, finishReason, completionTokens } = await ask({ id, prompt, pictures }, signal, onStage);
  const durationMs = Math.round(performance.now() - startedAt);
  log.append({
    ...writable(row),
    id,
    prediction: text,
    run: { row: place, finishReason, completionTokens, durationMs },
  });
}

/** The row as JSON that reads the same: a float keeps its point, a missing cell is left out. */
function writable(row: Row): Record<string, unknown> {
  const kept = Object.entries(row).filter(([, value]) => isCell(value) && value !== null);
  return Object.fromEntries(kept.map(([name, value]) => [name, asJson(value as PythonValue)]));
}

function asJson(value: PythonValue): unknown {
  if (typeof value === 'bigint' || value instanceof PythonFloat) return str(value);
  return Array.isArray(value) ? value.map(asJson) : value;
}
