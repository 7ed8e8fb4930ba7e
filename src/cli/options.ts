/** Groups of options that several commands share. The schema of a command spreads the groups that it takes. */

import path from 'node:path';
import { z } from 'zod';
import { presetNames } from '../checkpoint/type-preset.ts';
import { CogVLM2Error } from '../errors.ts';
import { profiles } from '../eval/benchmarks.ts';
import type { JudgeOptions } from '../eval/score/score-file.ts';
import { readTextFile } from '../files/input-file.ts';
import { readJsonFile } from '../files/json.ts';
import type { GenerateOptions } from '../generate/types.ts';
import { parseQueueAddress, type QueueAddress } from '../queue/address.ts';
import { adaptedName } from '../queue/job.ts';
import type { Context } from './command.ts';
import { flagGroup } from './flags.ts';
import type { Library } from './library-calls.ts';
import { parseAdapter } from './open-model.ts';
import { createProgress } from './progress.ts';
import type { Terminal } from './terminal.ts';

const inModel = flagGroup('Model');
const inAnswer = flagGroup('Answer');
const inOutput = flagGroup('Output');

function adapterOption(value: string) {
  return inModel(
    z.array(z.string().min(1)).default([]),
    'LoRA adapter: a folder in PEFT format, and a factor for its change; may be repeated.',
    { value },
  );
}

export const servedAdapterOption = adapterOption('[NAME=]FOLDER[:SCALE]');

export const modelOptions = {
  model: inModel(
    z.string().min(1).optional(),
    'Name, folder or .gguf file of the model; default: the demonstration model.',
    { short: 'm', value: 'NAME' },
  ),
  adapter: adapterOption('FOLDER[:SCALE]'),
  device: inModel(
    z.string().min(1).optional(),
    'auto, cpu, gpu, vulkan, cuda, metal, or the start of a name that `cogvlm2 doctor` lists.',
    {
      value: 'NAME',
    },
  ),
  threads: inModel(
    z.int().min(1).max(1024).optional(),
    'Number of threads; default: one for each physical core.',
    {
      short: 't',
      value: 'N',
    },
  ),
  context: inModel(
    z.int().min(16).optional(),
    'Context size in tokens, for image, questions and answers; default: that of the model.',
    { value: 'N' },
  ),
  imageSize: inModel(
    z.int().min(1).optional(),
    "Side in pixels to resize images to, below the model's own: faster, less detail.",
    { value: 'N' },
  ),
  compute: inModel(
    z.enum(['auto', 'f32']).default('auto'),
    'f32 computes everything in float32: slower, for comparisons.',
    { value: 'TYPE' },
  ),
  imageCache: inModel(
    z.boolean().default(true),
    'Encode every image, without the image cache on disk; see `cogvlm2 cache`.',
  ),
  imageCacheGb: inModel(
    z.number().gt(0).default(2),
    'Maximum gigabytes of encoded images on disk; the least recently used are evicted.',
    { value: 'N' },
  ),
};

export const typeOption = {
  type: inModel(
    z.enum(presetNames).optional(),
    'Type of the weights that `convert` writes; by default they keep their types.',
    { value: 'TYPE' },
  ),
};

export const answerOptions = {
  maxTokens: inAnswer(
    z.int().min(1).optional(),
    'Maximum answer length in tokens; default: the rest of the context, at most 2,048.',
    { short: 'n', value: 'N' },
  ),
  temperature: inAnswer(
    z.number().min(0).max(100).default(0),
    '0 always takes the most likely token; higher values vary more.',
    { value: 'X' },
  ),
  topK: inAnswer(z.int().min(0).optional(), 'Sample from the N most likely tokens; 0 means all.', {
    value: 'N',
  }),
  topP: inAnswer(
    z.number().gt(0).max(1).optional(),
    'Sample from the smallest set of tokens with this total probability.',
    { value: 'X' },
  ),
  minP: inAnswer(
    z.number().min(0).lt(1).optional(),
    'Drop tokens with less than this fraction of the highest probability.',
    { value: 'X' },
  ),
  repetitionPenalty: inAnswer(
    z.number().gt(0).max(100).optional(),
    'Above 1, tokens that are already in the text become less likely.',
    { value: 'X' },
  ),
  seed: inAnswer(z.int().min(0).optional(), 'The same seed gives the same answer; random by default.', {
    short: 's',
    value: 'N',
  }),
  stop: inAnswer(
    z.array(z.string().min(1)).default([]),
    'Stop string: end the answer before this text; may be repeated.',
    {
      value: 'TEXT',
    },
  ),
  template: inAnswer(
    z.enum(['chat', 'vqa', 'base']).default('chat'),
    'Prompt template: chat, vqa for short answers, base for the bare text.',
    { value: 'NAME' },
  ),
};

export const outputOptions = {
  verbose: inOutput(z.boolean().default(false), 'Print the time of each stage after each answer.', {
    short: 'v',
  }),
  quiet: inOutput(z.boolean().default(false), 'No progress and no notices; errors are still printed.', {
    short: 'q',
  }),
};

export const jsonOption = {
  json: inOutput(z.boolean().default(false), 'Print one JSON object instead of text.'),
};

export const outputFileOption = {
  output: inOutput(z.string().min(1).optional(), 'File to write; - is standard output.', {
    short: 'o',
    value: 'FILE',
  }),
};

export const formOptions = {
  schema: inAnswer(
    z.string().min(1).optional(),
    'JSON Schema that every answer follows; it is enforced while the answer is generated.',
    { value: 'FILE' },
  ),
  csv: inOutput(
    z.boolean().default(false),
    'A table in CSV: one row for each answer, one column for each field of the schema.',
  ),
};

/** @throws CogVLM2Error file_not_found, invalid_value */
export function readSchema(file: string | undefined): GenerateOptions['format'] {
  if (file === undefined) return undefined;
  const schema = readJsonFile(file);
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) {
    return { type: 'json_schema', schema };
  }
  throw new CogVLM2Error('invalid_value', `${file} is not a JSON Schema: it must be a JSON object.`);
}

/** All commands with this flag share its environment variable, so its meaning is the same. */
export function parallelOption(standard: number, limit: number) {
  return {
    parallel: flagGroup('Run')(
      z.int().min(1).max(limit).default(standard),
      'Number of files, requests or questions to process at the same time.',
      {
        value: 'N',
      },
    ),
  };
}

export const debugOption = {
  debug: inOutput(z.boolean().default(false), 'On an error, print the stack trace too.'),
};

const answerSchema = z.object(answerOptions);
export type AnswerOptions = z.output<typeof answerSchema>;

/** The options of the library. Unset options are omitted, so that the defaults of the library apply. */
export function generateOptions(
  options: AnswerOptions,
  signal: AbortSignal,
): GenerateOptions & { seed?: number } {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop, template } = options;
  return {
    temperature,
    template,
    signal,
    ...(stop.length > 0 && { stop }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
    ...(seed !== undefined && { seed }),
  };
}

// The queue that a command uses: the flag, the address, and a warning if others can read it.

export const queueOption = {
  queue: flagGroup('Run')(
    z.string().min(1).optional(),
    'Redis queue, redis:// or rediss://, whose `cogvlm2 worker`s answer instead of a model on this machine.',
    { value: 'URL' },
  ),
};

/** The queue holds at least this many questions, so that no worker is idle. */
export const queueDepth = 32;

/** @throws CogVLM2Error invalid_value */
export function queueAddress(written: string | undefined, quiet: boolean, terminal: Terminal): QueueAddress {
  if (written === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      'The address of the queue is needed, as in `cogvlm2 worker redis://127.0.0.1:6379`.',
    );
  }
  const address = parseQueueAddress(written);
  if (address.isOpen && !quiet) {
    terminal.stderr.write(
      `cogvlm2: ${address.shown} has no TLS or no password: others on that network can read the images and answers.\n`,
    );
  }
  return address;
}

/** The name of the model and its adapters at the workers. This machine need not have them. */
export async function queueModelName(
  { model, adapter }: { model?: string | undefined; adapter: readonly string[] },
  library: Library,
): Promise<string> {
  return adaptedName(await baseName(model, library), adapter.map(parseAdapter));
}

async function baseName(written: string | undefined, library: Library): Promise<string> {
  try {
    return (await library.findModel(written ?? 'demo')).name;
  } catch (error) {
    if (written === undefined || !(error instanceof CogVLM2Error) || error.code !== 'model_not_found')
      throw error;
    return path.basename(written, '.gguf');
  }
}

// Options that the `eval` commands share: the profile and the judge.

const inScoring = flagGroup('Scoring');

export const profileOption = {
  profile: inScoring(
    z.enum(profiles).default('official'),
    'The reference scorer whose rules apply where scorers disagree.',
    { value: 'NAME' },
  ),
};

export const judgeOptions = {
  judge: inScoring(
    z.string().min(1).optional(),
    'OpenAI-compatible server that judges undecided answers; without it, these count as wrong.',
    { value: 'URL' },
  ),
  judgeModel: inScoring(z.string().min(1).optional(), 'Name of the model at the judge.', { value: 'NAME' }),
  judgeKeyFile: inScoring(z.string().min(1).optional(), 'File with the API key of the judge.', {
    value: 'PATH',
  }),
};

interface JudgeChoice {
  readonly judge?: string | undefined;
  readonly judgeModel?: string | undefined;
  readonly judgeKeyFile?: string | undefined;
  readonly quiet: boolean;
}

/** @throws CogVLM2Error `invalid_value` if only one of the two flags is given */
export async function judgeFor(
  { judge: url, judgeModel: model, judgeKeyFile: keyFile, quiet }: JudgeChoice,
  { terminal, library }: Context,
  signal: AbortSignal,
): Promise<({ options: JudgeOptions } & AsyncDisposable) | undefined> {
  if (url === undefined && model === undefined) return undefined;
  if (url === undefined || model === undefined) {
    throw new CogVLM2Error('invalid_value', 'A judge needs both --judge URL and --judge-model NAME.');
  }
  const key = keyFor(url, keyFile, 'COGVLM2_JUDGE_KEY', terminal.env);
  const { endpoint } = await library.endpoint({ url, model, key, env: process.env });
  const progress = createProgress(terminal, quiet);
  const onProgress = (done: number, total: number) => progress.report({ stage: 'answer', done, total });
  return {
    options: { endpoint, signal, onProgress },
    [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose](),
  };
}

/**
 * The API key for a server: from the file, or from the variable. OPENAI_API_KEY is used for OpenAI only.
 * @throws CogVLM2Error `file_not_found`; `invalid_value` for a file without a key or with several
 */
export function keyFor(
  url: string,
  file: string | undefined,
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (file !== undefined) return onlyKeyIn(file);
  const isOpenAi = URL.canParse(url) && new URL(url).hostname === 'api.openai.com';
  return env[variable] || (isOpenAi ? env.OPENAI_API_KEY : undefined) || undefined;
}

function onlyKeyIn(file: string): string {
  const keys = keysIn(readTextFile(file));
  if (keys.length === 1) return keys[0]!;
  throw new CogVLM2Error('invalid_value', `The key file ${file} has ${keys.length} keys; 1 is needed.`);
}

/** The keys in the text of a key file: one in each line. A line that begins with # is a comment. */
export function keysIn(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}
