/**
 * `cogvlm2 eval run`: selects questions, asks them and appends each answer to a predictions file. The next run with the same
 * settings resumes from that file.
 */

import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { inParallel, isItemError } from '../../run/items.ts';
import { RunProgress, type RunState, type Stage } from '../../run/progress.ts';
import type { Benchmark, Profile } from '../benchmarks.ts';
import { type BrokenRow, DataSet, type PlannedQuestion, type Question } from '../data/data-set.ts';
import { PredictionLog } from '../predictions/file.ts';
import type { Header, Settings } from '../predictions/schema.ts';
import { PythonFloat, type PythonValue, str } from '../python/values.ts';
import { groupBy, isCell, type Row } from '../row.ts';
import type { Answerer, Ask } from './answerers.ts';
import { fingerprintOf } from './fingerprint.ts';
import { promptOf } from './prompt.ts';
import { type Estimate, estimateOf } from './token-estimate.ts';

export interface EvaluateOptions
  extends Pick<Settings, 'images' | 'maxTokens' | 'temperature' | 'topK' | 'topP' | 'seed'>,
    Pick<RunOptions, 'parallel' | 'signal' | 'onProgress' | 'onFailure'> {
  readonly benchmark: Benchmark;
  /** Data files, or folders of them. */
  readonly data: readonly string[];
  readonly subset: string | undefined;
  readonly limit: number | undefined;
  readonly shard: Shard | undefined;
  readonly profile: Profile;
  readonly template: 'chat' | 'vqa' | 'base';
  /** Called after the data was checked. It loads the model. */
  readonly answerer: () => Promise<Answerer>;
  /** The predictions file. Default: a file in the current folder with the names of benchmark and model. */
  readonly output: string | undefined;
  /** The version of this package. */
  readonly version: string;
  /** Called before the first request to a server. */
  onEstimate?(estimate: Estimate): void;
  /** Called when the run ends early. The file keeps all answers. */
  onStopped(kept: { file: string; answers: number; selected: number }): void;
}

export interface Evaluated extends RunCounts {
  readonly file: string;
  /** Number of selected questions. */
  readonly selected: number;
  /** Number of broken rows of the data. `onFailure` got each of them. */
  readonly broken: number;
}

/** @throws CogVLM2Error `file_not_found`, `invalid_value`, `write_failed`, `endpoint_failed`, `aborted`, the model's. */
export async function evaluate(options: EvaluateOptions): Promise<Evaluated> {
  const { benchmark, limit, shard, subset } = options;
  await using data = await DataSet.open(benchmark, options.data, subset);
  const selected = select(data.plan.questions, { limit, shard, seed: options.seed ?? undefined });
  const answerer = await options.answerer();
  const settings = await settingsOf(options, data, answerer);
  const file = options.output ?? defaultName(settings, shard);
  using log = new PredictionLog(file, headerOf(settings, answerer, options));
  for (const { id, error } of data.plan.broken) options.onFailure(id, error);
  if (answerer.imageTokens !== undefined && options.onEstimate !== undefined) {
    const waiting = selected.filter(({ id }) => !log.has(id));
    options.onEstimate(await estimateOf(data, waiting, settings, answerer.imageTokens));
  }
  const onStopped = ({ earlier, answered }: RunCounts) =>
    options.onStopped({ file, answers: earlier + answered, selected: selected.length });
  const ask = answerer.asker(settings);
  const counts = await run({ ...options, data, selected, settings, log, ask, onStopped });
  return { ...counts, file, selected: selected.length, broken: data.plan.broken.length };
}

async function settingsOf(options: EvaluateOptions, data: DataSet, answerer: Answerer): Promise<Settings> {
  const { benchmark, profile, images, maxTokens, temperature, topK, topP, seed, subset } = options;
  const names = data.files.map((file) => path.basename(file)).join(', ');
  return {
    benchmark,
    data: { name: names, ...(await fingerprintOf(data.files)) },
    subset: subset ?? null,
    model: answerer.model,
    profile,
    template: answerer.templateOf(options.template),
    images,
    maxTokens,
    temperature,
    topK,
    topP,
    seed,
  };
}

function headerOf(settings: Settings, { device }: Answerer, { shard, version }: EvaluateOptions): Header {
  return {
    kind: 'cogvlm2-predictions',
    version: 1,
    settings,
    shard: shard ?? null,
    origin: { cogvlm2: version, startedAt: new Date().toISOString(), device },
  };
}

/** The same name for the same run, so that the same command resumes it. */
function defaultName({ benchmark, model }: Settings, shard: Shard | undefined): string {
  const adapters = model.kind === 'checkpoint' ? (model.adapters ?? []) : [];
  const name = [model, ...adapters]
    .map((each) => each.name)
    .join('+')
    .replace(/[^\w.+-]+/g, '-');
  const part = shard === undefined ? '' : `.${shard.index}-of-${shard.count}`;
  return `${benchmark}-${name}${part}.jsonl`;
}

export interface RunOptions {
  readonly data: DataSet;
  readonly selected: readonly PlannedQuestion[];
  readonly settings: Settings;
  readonly ask: Ask;
  readonly log: PredictionLog;
  /** Maximum number of questions at the same time. */
  readonly parallel: number;
  readonly signal: AbortSignal;
  /** Counts the selected questions, including those that an earlier run answered. */
  onProgress(state: RunState): void;
  /** Called for a question that got no answer. */
  onFailure(id: string, why: string): void;
  /** Called when the run ends early, with the counts so far. */
  onStopped(counts: RunCounts): void;
}

export interface RunCounts {
  answered: number;
  /** Answered by an earlier run. */
  earlier: number;
  failed: number;
  /** Refused by the policy of a server. They count as answered. */
  refused: number;
  /** Images that were encoded again to fit a server's limits. */
  reencodedImages: number;
  /** Questions with more images than were used. */
  moreImages: number;
}

/** @throws the error that ends the run, after running questions were answered and saved; `aborted`. */
export async function run(options: RunOptions): Promise<RunCounts> {
  const { data, selected, log, signal } = options;
  const waiting = selected.filter(({ id }) => !log.has(id));
  const counts: RunCounts = {
    answered: 0,
    earlier: selected.length - waiting.length,
    failed: 0,
    refused: 0,
    reencodedImages: 0,
    moreImages: 0,
  };
  // Every question in progress listens to it. Node.js would warn from the eleventh on.
  setMaxListeners(0, signal);
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
      log.append({ id: question.id, error: { code, message }, run: { row: question.rowNumber } });
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
  const { id, rowNumber, row, imageCount } = question;
  if (imageCount === 0) throw new CogVLM2Error('invalid_image', 'The row has no image.');
  const shown = settings.images === 'all' ? imageCount : 1;
  if (imageCount > shown) counts.moreImages += 1;
  const prompt = promptOf(settings.benchmark, row, settings.profile);
  const images = await Promise.all(Array.from({ length: shown }, (_, i) => question.image(i)));
  const reply = await ask({ id, prompt, images }, signal, onStage);
  const { text, finishReason, refusal, completionTokens, reencodedImages = 0 } = reply;
  if (finishReason === 'refused') counts.refused += 1;
  counts.reencodedImages += reencodedImages;
  const durationMs = Math.round(performance.now() - startedAt);
  log.append({
    ...writable(row),
    id,
    prediction: text,
    run: {
      row: rowNumber,
      finishReason,
      ...(refusal !== undefined && { refusal }),
      completionTokens,
      ...(reencodedImages > 0 && { reencodedImages }),
      durationMs,
    },
  });
}

/** The row as JSON that is read back as the same cells: a float keeps its decimal point, a missing cell is left out. */
function writable(row: Row): Record<string, unknown> {
  const kept = Object.entries(row).filter(([, value]) => isCell(value) && value !== null);
  return Object.fromEntries(kept.map(([name, value]) => [name, asJson(value as PythonValue)]));
}

function asJson(value: PythonValue): unknown {
  if (typeof value === 'bigint' || value instanceof PythonFloat) return str(value);
  return Array.isArray(value) ? value.map(asJson) : value;
}

export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

export interface Selection {
  /** Maximum number of questions. */
  readonly limit?: number | undefined;
  /** Draws the questions at random; without it they are the first. A larger limit adds to those of a smaller limit. */
  readonly seed?: number | undefined;
  readonly shard?: Shard | undefined;
}

/**
 * The questions of a run, in the order of the data. The rotations of one question of MMBench stay together, because they
 * count only together.
 */
export function select(
  questions: readonly PlannedQuestion[],
  { limit, seed, shard }: Selection,
): PlannedQuestion[] {
  const groups = [...groupBy(questions, ({ group }) => group)];
  const drawn = seed === undefined || limit === undefined ? groups : groups.sort(byHash(seed));
  return drawn
    .slice(0, limit)
    .filter((_, i) => shard === undefined || i % shard.count === shard.index - 1)
    .flatMap(([, members]) => members)
    .sort((left, right) => left.rowNumber - right.rowNumber);
}

function byHash(seed: number): (left: [string, unknown], right: [string, unknown]) => number {
  const hash = ([group]: [string, unknown]) => createHash('sha256').update(`${seed} ${group}`).digest();
  return (left, right) => Buffer.compare(hash(left), hash(right));
}
