/** `cogvlm2 eval run BENCHMARK DATA...`: asks a model or a server, and keeps each answer as soon as it is complete. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { type Benchmark, benchmarks } from '../../eval/benchmarks.ts';
import type { Shard } from '../../eval/run/evaluate.ts';
import type { Estimate } from '../../eval/run/token-estimate.ts';
import { packageDirectory, packageVersion } from '../../files/folders.ts';
import { nearest } from '../../messages.ts';
import { type Context, defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatCount, formatCounted, formatDuration } from '../format.ts';
import { openModel } from '../open-model.ts';
import {
  answerOptions,
  debugOption,
  jsonOption,
  judgeFor,
  judgeOptions,
  keyFor,
  modelOptions,
  outputFileOption,
  outputOptions,
  parallelOption,
  profileOption,
  queueAddress,
  queueDepth,
  queueModelName,
  queueOption,
} from '../options.ts';
import { createProgress, type ProgressReport } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';

const inQuestions = flagGroup('Questions');
const inModel = flagGroup('Model');
const { maxTokens, temperature, topK, topP, seed, template } = answerOptions;
const { quiet } = outputOptions;

const runOptions = z.object({
  subset: inQuestions(z.string().min(1).optional(), 'Only the questions of this split, category or type.', {
    value: 'NAME',
  }),
  limit: inQuestions(
    z.int().min(1).optional(),
    'Maximum number of questions: the first ones, or a random sample with --seed.',
    {
      value: 'N',
    },
  ),
  shard: inQuestions(
    z
      .string()
      .regex(/^[1-9]\d*\/[1-9]\d*$/, 'not of the form i/n, such as 1/4')
      .optional(),
    'Only part i of n of the questions, for several machines.',
    { value: 'I/N' },
  ),
  ...parallelOption(1, 256),
  ...queueOption,
  images: inQuestions(
    z.enum(['first', 'all']).default('first'),
    'Images of a question to use: CogVLM2 takes one, servers may take all.',
    { value: 'WHICH' },
  ),
  ...modelOptions,
  endpoint: inModel(
    z.string().min(1).optional(),
    'Ask this OpenAI-compatible server instead of a model on this machine.',
    {
      value: 'URL',
    },
  ),
  apiModel: inModel(z.string().min(1).optional(), 'Name of the model at the server.', { value: 'NAME' }),
  endpointKeyFile: inModel(z.string().min(1).optional(), 'File with the API key of the server.', {
    value: 'PATH',
  }),
  rpm: inModel(
    z.number().gt(0).max(60_000).optional(),
    'Maximum number of requests a minute to the server, retries included.',
    { value: 'N' },
  ),
  maxImageBytes: inModel(
    z.int().min(1000).optional(),
    'Re-encode images with more bytes (before base64) for the server.',
    { value: 'N' },
  ),
  maxImageSide: inModel(
    z.int().min(64).optional(),
    'Shrink images with a longer side, in pixels, for the server.',
    { value: 'N' },
  ),
  maxTokens,
  temperature,
  topK,
  topP,
  seed,
  template,
  ...profileOption,
  ...judgeOptions,
  ...outputFileOption,
  ...jsonOption,
  quiet,
  ...debugOption,
});
type RunFlags = z.output<typeof runOptions>;

export const evalRun = defineCommand({
  name: 'eval run',
  summary: 'Ask the questions of a benchmark, or resume a run, and score the answers',
  arguments: [
    { name: 'BENCHMARK', about: benchmarks.join(', '), required: true },
    {
      name: 'DATA',
      about: 'data files or a folder of them; not needed for `demo`',
      variadic: true,
      optional: true,
    },
  ],
  options: runOptions,
  examples: [
    { about: 'The benchmark of the demonstration model', line: 'cogvlm2 eval run demo --limit 20' },
    {
      about: 'A hundred questions of DocVQA, four at a time',
      line: 'cogvlm2 eval run docvqa DocVQA_VAL.tsv --model cogvlm2-llama3-chat-19B --limit 100 --seed 1 --parallel 4',
    },
    {
      about: 'Another system, through its server',
      line: 'cogvlm2 eval run chartqa test-00000-of-00001.parquet --endpoint http://127.0.0.1:8000/v1 --api-model qwen',
    },
    {
      about: 'A server with limits',
      line: 'cogvlm2 eval run docvqa DocVQA_VAL.tsv --endpoint URL --api-model NAME --rpm 60 --max-image-bytes 15000000',
    },
  ],
  notes: `[eval.md](eval.md) lists the sources and formats of the data. Predictions are written to \`--output\`, by default
BENCHMARK-MODEL.jsonl in this folder, as soon as each answer is complete. The results are written beside it. The same command
resumes a run; other settings are refused. The key of the server is in \`--endpoint-key-file\` or \`COGVLM2_API_KEY\`, for OpenAI also
\`OPENAI_API_KEY\`. The requests and tokens that a server will get are estimated and printed before the first request.
\`--json\` prints the results without their rows.`,

  async run(args, options, context) {
    const [name, ...data] = args as [string, ...string[]];
    const benchmark = benchmarkOf(name);
    if (options.output === '-') {
      throw invalid(
        'eval run keeps its predictions in a file, so that it can resume and score them: --output must be a file.',
      );
    }
    const { terminal, library } = context;
    using stop = stopOnInterrupt(terminal);
    await using judge = await judgeFor(options, context, stop.signal);
    const progress = createProgress(terminal, options.quiet);
    await using open = new Opened();
    const done = await library
      .evalRun({
        ...options,
        maxTokens: options.maxTokens ?? null,
        topK: options.topK ?? null,
        topP: options.topP ?? null,
        benchmark,
        parallel: options.queue === undefined ? options.parallel : Math.max(queueDepth, options.parallel),
        data: data.length > 0 ? data : [demoData(benchmark)],
        shard: shardOf(options.shard),
        seed: options.seed ?? null,
        subset: options.subset,
        limit: options.limit,
        output: options.output,
        version: packageVersion(),
        answerer: () => open.answerer(options, context, progress, stop.signal),
        signal: stop.signal,
        onProgress: progress.reportRun,
        onEstimate(estimate) {
          if (!options.quiet) terminal.stderr.write(`cogvlm2: ${estimateText(estimate, options)}\n`);
        },
        onStopped({ file, answers, selected }) {
          progress.clear();
          if (options.quiet) return;
          terminal.stderr.write(
            `cogvlm2: stopped: ${file} has ${formatCount(answers)} of ${formatCount(selected)} answers; run the same command to continue.\n`,
          );
        },
        onFailure: failureReporter(context, progress, options.quiet),
      })
      .finally(progress.clear);
    printSummary(done, context, options.quiet);
    if (options.shard !== undefined) return 0;
    const scored = await library.evalScore({
      benchmark,
      file: done.file,
      profile: options.profile,
      output: done.file.replace(/(?:\.jsonl)?$/, '.results.json'),
      judge: judge?.options,
      stdout: options.json ? { write: () => true } : terminal.stdout,
    });
    if (options.json) terminal.stdout.write(`${JSON.stringify({ ...scored, rows: undefined })}\n`);
    return 0;
  },
});

/** The model or the server of a run; disposed at its end. */
class Opened implements AsyncDisposable {
  #opened: { [Symbol.asyncDispose]?(): PromiseLike<void>; [Symbol.dispose]?(): void } | undefined;

  async answerer(options: RunFlags, context: Context, progress: ProgressReport, signal: AbortSignal) {
    const { library, terminal } = context;
    const { endpoint: url, apiModel, compute, queue } = options;
    if (queue !== undefined) {
      if (url !== undefined) throw invalid('Either --queue or --endpoint answers, not both.');
      const address = queueAddress(queue, options.quiet, terminal);
      const name = await queueModelName(options, library);
      const client = await library.queue(address, name);
      this.#opened = client;
      return library.queueAnswerer({ client, model: name, shownAddress: address.shown });
    }
    if (url === undefined) {
      refuseEndpointOptions(options);
      if (apiModel !== undefined)
        throw invalid('--api-model is a name at a server: give --endpoint URL as well.');
      const model = await openModel(options, context, progress, signal);
      this.#opened = model;
      return library.modelAnswerer(model, compute);
    }
    if (apiModel === undefined)
      throw invalid('--endpoint needs --api-model NAME, the name of the model at the server.');
    if (options.model !== undefined) throw invalid('Either --model or --endpoint answers, not both.');
    const onPause = (pauseMs: number, what: string) => {
      if (options.quiet) return;
      progress.clear();
      terminal.stderr.write(
        `cogvlm2: the server is busy: ${what}. The next request is sent in ${formatDuration(pauseMs)}.\n`,
      );
    };
    const key = keyFor(url, options.endpointKeyFile, 'COGVLM2_API_KEY', terminal.env);
    const { endpoint, answerer } = await library.endpoint(
      { url, model: apiModel, key, rpm: options.rpm, env: process.env, onPause },
      { maxBytes: options.maxImageBytes, maxSide: options.maxImageSide },
    );
    this.#opened = endpoint;
    return answerer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened?.[Symbol.dispose]?.();
    await this.#opened?.[Symbol.asyncDispose]?.();
  }
}

function refuseEndpointOptions(options: RunFlags): void {
  const flags = { rpm: '--rpm', maxImageBytes: '--max-image-bytes', maxImageSide: '--max-image-side' };
  for (const name of ['rpm', 'maxImageBytes', 'maxImageSide'] as const) {
    if (options[name] !== undefined)
      throw invalid(`${flags[name]} is a limit of a server: give --endpoint URL as well.`);
  }
}

function estimateText(
  { requests, textTokens, imageTokens, formula, outputTokens, sampled }: Estimate,
  { endpoint, rpm }: RunFlags,
): string {
  if (requests === 0) return `no requests to ${endpoint}: all questions have an answer.`;
  const input = `about ${formatCount(textTokens)} text tokens and ${formatCount(imageTokens)} image tokens by ${formula} formula`;
  const parts = [
    `${formatCounted(requests, 'request')}, ${input}`,
    ...(sampled < requests ? [`estimated from ${sampled} of the questions`] : []),
    ...(outputTokens === null ? [] : [`at most ${formatCount(outputTokens)} output tokens`]),
    ...(rpm === undefined
      ? []
      : [`at least ${formatDuration(((requests - 1) * 60_000) / rpm)} with --rpm ${rpm}`]),
  ];
  return `${parts.join('; ')}.`;
}

function benchmarkOf(name: string): Benchmark {
  const found = benchmarks.find((benchmark) => benchmark === name);
  if (found !== undefined) return found;
  const near = nearest(name, benchmarks);
  throw invalid(
    `There is no benchmark ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}; there are ${benchmarks.join(', ')}.`,
  );
}

function demoData(benchmark: Benchmark): string {
  const file = path.join(packageDirectory(), 'bench/demo/demo.tsv');
  if (benchmark === 'demo' && existsSync(file)) return file;
  throw invalid(`${benchmark} needs its data: a file or a folder. docs/eval.md says where to get it.`);
}

function shardOf(text: string | undefined): Shard | undefined {
  if (text === undefined) return undefined;
  const [index, count] = text.split('/').map(Number) as [number, number];
  if (index > count) throw invalid(`--shard is ${text}, but there are ${count} parts.`);
  return { index, count };
}

const namedFailures = 10;

function failureReporter({ terminal }: Context, progress: ProgressReport, quiet: boolean) {
  let reported = 0;
  return (id: string, why: string): void => {
    reported += 1;
    if (quiet || reported > namedFailures) return;
    progress.clear();
    terminal.stderr.write(`cogvlm2: ${id}: ${why}\n`);
    if (reported === namedFailures) terminal.stderr.write('cogvlm2: more failures are only counted.\n');
  };
}

function printSummary(
  {
    file,
    selected,
    answered,
    earlier,
    failed,
    broken,
    refused,
    reencodedImages,
    moreImages,
  }: Awaited<ReturnType<Context['library']['evalRun']>>,
  { terminal }: Context,
  quiet: boolean,
): void {
  if (quiet) return;
  const parts = [
    `${formatCount(answered + earlier)} of ${formatCount(selected)} questions have an answer in ${file}`,
    ...(earlier > 0 ? [`${formatCount(earlier)} from before`] : []),
    ...(failed > 0 ? [`${formatCount(failed)} failed; run the same command to ask them again`] : []),
    ...(refused > 0 ? [`${formatCount(refused)} refused by the server`] : []),
    ...(reencodedImages > 0
      ? [`${formatCounted(reencodedImages, 'image')} re-encoded to fit the limits of the server`]
      : []),
    ...(broken > 0 ? [`${formatCount(broken)} rows of the data are broken`] : []),
    ...(moreImages > 0 ? [`${formatCount(moreImages)} have more images than were used`] : []),
  ];
  terminal.stderr.write(`${parts.join('; ')}.\n`);
}

function invalid(message: string): CogVLM2Error {
  return new CogVLM2Error('invalid_value', message);
}
