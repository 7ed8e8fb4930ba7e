/** `cogvlm2 batch INPUT...`: many pictures and PDF pages, one JSON line an answer. */

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { BatchCounts } from '../../batch/batch.ts';
import type { Item } from '../../batch/line.ts';
import { CogVLM2Error } from '../../errors.ts';
import { type Context, defineCommand } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { flagGroup } from '../flags.ts';
import { openModel } from '../open-model.ts';
import {
  answerOptions,
  debugOption,
  generateOptions,
  modelOptions,
  outputFileOption,
  outputOptions,
  parallelOption,
} from '../options.ts';
import { printable } from '../printable.ts';
import { createProgress } from '../progress.ts';
import { queueAddress, queueDepth, queueModelName, queueOption } from '../queue-options.ts';
import { stopOnInterrupt } from '../terminal.ts';
import { formatCount, formatCounted } from '../units.ts';

const inInput = flagGroup('Input');
const { quiet } = outputOptions;

const batchOptions = z.object({
  question: inInput(
    z.array(z.string().min(1)).default([]),
    'What to ask every picture and page; may be repeated.',
    { value: 'TEXT' },
  ),
  pages: inInput(
    z.string().min(1).optional(),
    'Which pages of every PDF, such as 1,3-5 or 2-; without it, all of them.',
    { value: 'LIST' },
  ),
  ...outputFileOption,
  ...parallelOption(1, 64),
  retryErrors: flagGroup('Run')(
    z.boolean().default(false),
    'Ask again what an earlier run got an error for.',
  ),
  ...queueOption,
  byPath: flagGroup('Run')(
    z.boolean().default(false),
    'Name pictures to the workers by their paths, in place of sending them: for a folder that all machines have.',
  ),
  ...answerOptions,
  ...modelOptions,
  quiet,
  ...debugOption,
});
type BatchFlags = z.output<typeof batchOptions>;

export const batch = defineCommand({
  name: 'batch',
  summary: 'Ask many pictures and PDF pages, into a file of JSON lines',
  arguments: [
    {
      name: 'INPUT',
      about: 'folders, patterns, pictures, PDFs, or a .jsonl of rows',
      required: true,
      variadic: true,
    },
  ],
  options: batchOptions,
  examples: [
    { about: 'A folder', line: 'cogvlm2 batch scans --question "What is the total?" --output totals.jsonl' },
    {
      about: 'The first page of every PDF',
      line: "cogvlm2 batch 'letters/**/*.pdf' --pages 1 --question 'Who wrote this?' -o senders.jsonl",
    },
    { about: 'Rows with a question of their own', line: 'cogvlm2 batch tasks.jsonl --output answers.jsonl' },
  ],
  notes: `What goes in and what comes out stands in [batch.md](batch.md). Every answer is a line as soon as it is there. A run
that was stopped, or killed, goes on with the same command; other settings than before are refused. An input that
cannot be read or asked gets a line with an \`error\`, and the exit status is then 8. \`--parallel\` is of pictures. With
\`--queue\` other machines answer: [many-machines.md](many-machines.md).`,

  async run(inputs, options, context) {
    const { output, question } = options;
    if (output === undefined) {
      throw new CogVLM2Error('invalid_value', '--output is needed: the file that the answers go into.');
    }
    if (new Set(question).size < question.length || question.some((text) => text.trim() === '')) {
      throw new CogVLM2Error('invalid_value', 'A --question is empty, or given twice.');
    }
    const { sources, otherFiles } = await context.library.findSources(inputs, question);
    if (otherFiles > 0 && !options.quiet) {
      context.terminal.stderr.write(`cogvlm2: passed over ${formatCounted(otherFiles, 'other file')}.\n`);
    }
    const counts = await answerAll(sources, output, options, context);
    return counts.errors > 0 ? EXIT_CODES.partial : EXIT_CODES.ok;
  },
});

type Sources = Parameters<Context['library']['batch']>[2]['sources'];

async function answerAll(
  sources: Sources,
  file: string,
  options: BatchFlags,
  context: Context,
): Promise<BatchCounts> {
  const { terminal, library } = context;
  using stop = stopOnInterrupt(terminal);
  const progress = createProgress(terminal, options.quiet);
  const say = (text: string) => {
    progress.clear();
    if (!options.quiet) terminal.stderr.write(printable(`cogvlm2: ${text}\n`, terminal.stderr));
  };
  const run = {
    sources,
    file,
    pages: options.pages,
    parallel: options.parallel,
    isJson: false,
    retryErrors: options.retryErrors,
    signal: stop.signal,
    onProgress: (done: number, total: number) => progress.report({ stage: 'answer', done, total }),
    onError: ({ input, page }: Item, { message }: CogVLM2Error) =>
      say(`${input}${page === null ? '' : `, page ${page}`}: ${message}`),
  };
  const withModel = async () => {
    using model = await openModel(options, context, progress, stop.signal);
    const { name, types, sizeBytes } = model.info;
    const settings = settingsOf({ name, types, sizeBytes }, options);
    return await library.batch(model, generateOptions(options, stop.signal), { ...run, settings });
  };
  const onQueue = async (url: string) => {
    const name = await queueModelName(options.model, library);
    const settings = settingsOf({ name, answers: 'through a queue' }, options);
    await using client = await library.queue(queueAddress(url, options.quiet, terminal), name);
    const { signal: _, ...answer } = generateOptions(options, stop.signal);
    return await library.batchOnQueue(client, {
      ...run,
      settings,
      answer: { ...answer, stop: options.stop },
      run: JSON.stringify([hostname(), resolve(file), settings]),
      byPath: options.byPath,
      parallel: Math.max(queueDepth, options.parallel),
    });
  };
  const counts = await (options.queue === undefined ? withModel() : onQueue(options.queue)).finally(
    progress.clear,
  );
  const { answers, errors, earlier } = counts;
  say(
    `${file} has ${formatCounted(answers, 'answer')} and ${formatCounted(errors, 'error')}, ${formatCount(earlier)} of them from before.`,
  );
  return counts;
}

/** What answers depend on. */
function settingsOf(model: object, options: BatchFlags): object {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop, template } = options;
  const orNull = <T>(value: T | undefined) => value ?? null;
  return {
    model,
    compute: options.compute,
    context: orNull(options.context),
    template,
    maxTokens: orNull(maxTokens),
    temperature,
    topK: orNull(topK),
    topP: orNull(topP),
    minP: orNull(minP),
    repetitionPenalty: orNull(repetitionPenalty),
    seed: orNull(seed),
    stop,
  };
}
