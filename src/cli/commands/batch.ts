/** `cogvlm2 batch INPUT...`: many images, PDF pages and videos in, one JSON line for each answer out. */

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { BatchCounts } from '../../batch/batch.ts';
import { Captions } from '../../batch/captions.ts';
import type { AnswerLine, Item } from '../../batch/output.ts';
import { CogVLM2Error } from '../../errors.ts';
import type { GenerateOptions } from '../../generate/types.ts';
import { answerWarnings } from '../answer-output.ts';
import { type Context, defineCommand } from '../command.ts';
import { csvOfLines, writeCsvBeside } from '../csv.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { flagGroup } from '../flags.ts';
import { formatCount, formatCounted, printable } from '../format.ts';
import { openModel } from '../open-model.ts';
import {
  answerOptions,
  debugOption,
  formOptions,
  generateOptions,
  modelOptions,
  outputFileOption,
  outputOptions,
  parallelOption,
  queueAddress,
  queueDepth,
  queueModelName,
  queueOption,
  readSchema,
} from '../options.ts';
import { createProgress } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';

const inInput = flagGroup('Input');
const inOutput = flagGroup('Output');
const { quiet } = outputOptions;

const batchOptions = z.object({
  question: inInput(
    z.array(z.string().min(1)).default([]),
    'What to ask about every image and page; may be repeated.',
    { value: 'TEXT' },
  ),
  pages: inInput(
    z.string().min(1).optional(),
    'Pages of every PDF, such as 1,3-5 or 2-; all pages by default.',
    { value: 'LIST' },
  ),
  ...outputFileOption,
  captions: inOutput(
    z.boolean().default(false),
    'Write each answer to NAME.txt beside its image. Images with a caption are skipped.',
  ),
  captionPrefix: inOutput(z.string().default(''), 'Text before each caption.', { value: 'TEXT' }),
  captionSuffix: inOutput(z.string().default(''), 'Text after each caption.', { value: 'TEXT' }),
  ...parallelOption(1, 64),
  retryErrors: flagGroup('Run')(
    z.boolean().default(false),
    'Ask again about inputs that failed in an earlier run.',
  ),
  ...queueOption,
  byPath: flagGroup('Run')(
    z.boolean().default(false),
    'Send the paths of images to the workers, instead of the images. All machines need the folder.',
  ),
  ...answerOptions,
  ...formOptions,
  ...modelOptions,
  quiet,
  ...debugOption,
});
type BatchFlags = z.output<typeof batchOptions>;

export const batch = defineCommand({
  name: 'batch',
  summary: 'Ask about many images and PDF pages, and write JSON lines',
  arguments: [
    {
      name: 'INPUT',
      about: 'folders, patterns, images, PDFs, for video models videos, or a .jsonl file of rows',
      required: true,
      variadic: true,
    },
  ],
  options: batchOptions,
  examples: [
    { about: 'A folder', line: 'cogvlm2 batch scans --question "What is the total?" --output totals.jsonl' },
    {
      about: 'Invoices in, a table out',
      line: 'cogvlm2 batch invoices --schema invoice.json --question "Read the invoice." -o invoices.jsonl --csv',
    },
    {
      about: 'The first page of every PDF',
      line: "cogvlm2 batch 'letters/**/*.pdf' --pages 1 --question 'Who wrote this?' -o senders.jsonl",
    },
    {
      about: 'Captions for training an image model',
      line: 'cogvlm2 batch photos --question "Describe this image." --captions --caption-prefix "photo, "',
    },
    {
      about: 'Captions of videos, for training a video model',
      line: 'cogvlm2 batch clips --question "Please describe this video in detail." --captions -m cogvlm2-llama3-caption',
    },
    { about: 'Rows with their own questions', line: 'cogvlm2 batch tasks.jsonl --output answers.jsonl' },
  ],
  notes: `[batch.md](batch.md) describes the input and the output. Each answer is written as soon as it is complete. The same
command resumes a run that was stopped or killed; other settings are refused. An input that cannot be read or asked about
gets a line with an \`error\`, and the exit status is 8. \`--parallel\` counts images. \`--csv\` writes the table to the
output's name with \`.csv\`. With \`-o -\`, the lines (with \`--csv\` the table) go to standard output, and such a run cannot
be resumed. With \`--queue\`, workers on other machines answer: [many-machines.md](many-machines.md).`,

  async run(inputs, options, context) {
    const { question, captions: wantsCaptions } = options;
    if (options.output === undefined && !wantsCaptions) {
      throw invalid('--output FILE is needed for the answers (- is standard output), or --captions.');
    }
    if (options.csv && options.output === undefined) throw invalid('--csv needs --output.');
    if (!wantsCaptions && (options.captionPrefix !== '' || options.captionSuffix !== '')) {
      throw invalid('--caption-prefix and --caption-suffix need --captions.');
    }
    if (new Set(question).size < question.length || question.some((text) => text.trim() === '')) {
      throw invalid('A --question is empty or is given twice.');
    }
    if (options.queue !== undefined && options.schema !== undefined) {
      throw invalid('--schema does not work with --queue: workers answer in text only.');
    }
    const takesVideo = await context.library.takesVideo(options.model);
    const { sources, otherFiles } = await context.library.findSources(inputs, question, takesVideo);
    if (otherFiles > 0 && !options.quiet) {
      context.terminal.stderr.write(
        `cogvlm2: skipped ${formatCounted(otherFiles, 'file')} that ${kindsOf(otherFiles, takesVideo)}.\n`,
      );
    }
    const counts = await answerAll(sources, options, context);
    return counts.errors > 0 ? EXIT_CODES.partial : EXIT_CODES.ok;
  },
});

function kindsOf(files: number, takesVideo: boolean): string {
  if (files === 1) return takesVideo ? 'is no image, PDF or video' : 'is neither an image nor a PDF';
  return takesVideo ? 'are no images, PDFs or videos' : 'are neither images nor PDFs';
}

type Sources = Parameters<Context['library']['batch']>[2]['sources'];

async function answerAll(sources: Sources, options: BatchFlags, context: Context): Promise<BatchCounts> {
  const { terminal, library } = context;
  using stop = stopOnInterrupt(terminal);
  const progress = createProgress(terminal, options.quiet);
  const say = (text: string) => {
    progress.clear();
    if (!options.quiet) terminal.stderr.write(printable(`cogvlm2: ${text}\n`, terminal.stderr));
  };
  const { prefix, suffix } = { prefix: options.captionPrefix, suffix: options.captionSuffix };
  const captions = options.captions ? new Captions(sources, { prefix, suffix }) : undefined;
  const format = readSchema(options.schema);
  const lines: string[] = [];
  const toStdout = (line: string) => {
    progress.clear();
    terminal.stdout.write(`${line}\n`);
  };
  const file = options.output === '-' ? undefined : options.output;
  const withoutFile = options.csv ? (line: string) => lines.push(line) : toStdout;
  const run = {
    sources,
    output: file ?? (options.output === '-' ? withoutFile : () => {}),
    ...(captions && { isDone: (item: Item) => captions.has(item) }),
    pages: options.pages,
    parallel: options.parallel,
    isJson: format !== undefined,
    retryErrors: options.retryErrors,
    signal: stop.signal,
    onProgress: progress.reportRun,
    onError: ({ input, page }: Item, { message }: CogVLM2Error) =>
      say(`${input}${page === null ? '' : `, page ${page}`}: ${message}`),
    onAnswer: (line: AnswerLine) => {
      captions?.write(line);
      const { answer: text, finishReason, usage, warnings = [] } = line;
      for (const warning of [...warnings, ...answerWarnings({ text, finishReason, usage })])
        say(`${line.input}: ${warning}`);
    },
    onEnd: (counts: BatchCounts) => {
      progress.clear();
      if (options.csv && file !== undefined) writeCsvBeside(file);
      else if (options.csv) terminal.stdout.write(csvOfLines(lines));
      say(endOf(counts, file, captions, stop.signal.aborted));
    },
  };
  const answer: GenerateOptions = { ...generateOptions(options, stop.signal), ...(format && { format }) };
  const withModel = async () => {
    using model = await openModel(options, context, progress, stop.signal);
    const { name, types, sizeBytes } = model.info;
    const adapters = model.info.adapters.map(({ fingerprint, scale }) => ({ fingerprint, scale }));
    const answering = { name, types, sizeBytes, ...(adapters.length > 0 && { adapters }) };
    const settings = settingsOf(answering, options, format);
    return await library.batch(model, answer, { ...run, settings });
  };
  const onQueue = async (url: string) => {
    const name = await queueModelName(options, library);
    const settings = settingsOf({ name, answers: 'through a queue' }, options, format);
    await using client = await library.queue(queueAddress(url, options.quiet, terminal), name);
    const { signal: _, ...sent } = generateOptions(options, stop.signal);
    return await library.batchOnQueue(client, {
      ...run,
      settings,
      answer: { ...sent, stop: options.stop },
      run: JSON.stringify([hostname(), resolve(file ?? ''), settings]),
      byPath: options.byPath,
      parallel: Math.max(queueDepth, options.parallel),
    });
  };
  return await (options.queue === undefined ? withModel() : onQueue(options.queue)).finally(progress.clear);
}

/** Prints the result of the run, and how to resume it. */
function endOf(
  { answers, errors, earlier }: BatchCounts,
  file: string | undefined,
  captions: Captions | undefined,
  stopped: boolean,
): string {
  const counts = `${formatCounted(answers, 'answer')} and ${formatCounted(errors, 'error')}`;
  const skipped = captions?.skipped ?? 0;
  const parts = [
    file === undefined ? counts : `${file} has ${counts}, ${formatCount(earlier)} of them from earlier runs`,
    ...(skipped > 0 ? [`skipped ${formatCounted(skipped, 'image')} with a caption`] : []),
  ];
  if (stopped && (file !== undefined || captions !== undefined))
    parts.push('run the same command to continue');
  return `${stopped ? 'stopped: ' : ''}${parts.join('; ')}.`;
}

/** Everything that the answers depend on. */
function settingsOf(model: object, options: BatchFlags, format: GenerateOptions['format']): object {
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
    ...(format && { format }),
  };
}

function invalid(message: string): CogVLM2Error {
  return new CogVLM2Error('invalid_value', message);
}
