/** `cogvlm2 eval run`: data, a model or a server, and a file of predictions that the next run goes on with. */
import path from 'node:path';
import type { Answerer } from './asker.ts';
import type { Benchmark, Profile } from './benchmarks.ts';
import { DataSet } from './data/data-set.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Header, Settings } from './prediction.ts';
import { PredictionLog } from './prediction-log.ts';
import { type RunCounts, type RunOptions, run } from './run.ts';
import { type Shard, select } from './selection.ts';

export interface EvaluateOptions
  extends Pick<Settings, 'pictures' | 'maxTokens' | 'temperature' | 'topK' | 'topP' | 'seed'>,
    Pick<RunOptions, 'parallel' | 'signal' | 'onProgress' | 'onFailure'> {
  readonly benchmark: Benchmark;
  /** Data files, or folders of them. */
  readonly data: readonly string[];
  readonly subset: string | undefined;
  readonly limit: number | undefined;
  readonly shard: Shard | undefined;
  readonly profile: Profile;
  readonly template: 'chat' | 'vqa' | 'base';
  /** Called when the data has been found good: a model is loaded. */
  readonly answerer: () => Promise<Answerer>;
  /** Where the predictions are kept; without it, a file here named after benchmark and model. */
  readonly output: string | undefined;
  /** Of this package. */
  readonly version: string;
  /** Called when the run ends early. What was answered is kept in the file. */
  onStopped(kept: { file: string; answers: number; selected: number }): void;
}

export interface Evaluated extends RunCounts {
  readonly file: string;
  /** Questions that were to be asked. */
  readonly selected: number;
  /** Rows of the data that are none, all of them named to `onFailure`. */
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
  const onStopped = ({ earlier, answered }: RunCounts) =>
    options.onStopped({ file, answers: earlier + answered, selected: selected.length });
  const ask = answerer.asker(settings);
  const counts = await run({ ...options, data, selected, settings, log, ask, onStopped });
  return { ...counts, file, selected: selected.length, broken: data.plan.broken.length };
}

async function settingsOf(options: EvaluateOptions, data: DataSet, answerer: Answerer): Promise<Settings> {
  const { benchmark, profile, pictures, maxTokens, temperature, topK, topP, seed, subset } = options;
  const names = data.files.map((file) => path.basename(file)).join(', ');
  return {
    benchmark,
    data: { name: names, ...(await fingerprintOf(data.files)) },
    subset: subset ?? null,
    model: answerer.model,
    profile,
    template: answerer.templateOf(options.template),
    pictures,
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

/** The same for the same run, so that the same command goes on. */
function defaultName({ benchmark, model }: Settings, shard: Shard | undefined): string {
  const adapters = model.kind === 'checkpoint' ? (model.adapters ?? []) : [];
  const name = [model, ...adapters]
    .map((each) => each.name)
    .join('+')
    .replace(/[^\w.+-]+/g, '-');
  const part = shard === undefined ? '' : `.${shard.index}-of-${shard.count}`;
  return `${benchmark}-${name}${part}.jsonl`;
}
