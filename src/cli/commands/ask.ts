/** `cogvlm2 ask PICTURE QUESTION...`: answers on standard output, everything for people on standard error. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import type { CogVLM2 } from '../../generate/cogvlm2.ts';
import type { Answer } from '../../generate/types.ts';
import type { EncodedImage } from '../../model/encoded-image.ts';
import { answersAsJson, type Encoding } from '../answer-json.ts';
import { type Context, defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { openModel } from '../open-model.ts';
import {
  answerOptions,
  debugOption,
  generateOptions,
  jsonOption,
  modelOptions,
  outputOptions,
} from '../options.ts';
import { type Picture, readAskedPicture } from '../picture.ts';
import { createProgress, type ProgressReport } from '../progress.ts';
import { showAnswer } from '../show-answer.ts';
import { stopOnInterrupt } from '../terminal.ts';
import { type Before, renderTimings } from '../timings.ts';

const askOptions = z.object({
  text: flagGroup('Answer')(
    z.boolean().default(false),
    'Ask without a picture: every argument is then a question.',
  ),
  page: flagGroup('Picture')(
    z.int().min(1).optional(),
    'Which page of a PDF, from 1; without it, the first.',
    { short: 'p', value: 'N' },
  ),
  ...answerOptions,
  ...modelOptions,
  ...jsonOption,
  ...outputOptions,
  ...debugOption,
});
type AskOptions = z.output<typeof askOptions>;

export const ask = defineCommand({
  name: 'ask',
  summary: 'Ask a picture one question or several',
  arguments: [
    { name: 'PICTURE', about: 'PNG, JPEG, WebP or PDF: a path, - for standard input, or a data URL' },
    { name: 'QUESTION', about: 'each is answered by itself; the picture is encoded once', variadic: true },
  ],
  options: askOptions,
  examples: [
    { about: 'One question', line: 'cogvlm2 ask receipt.png "What is the total?"' },
    { about: 'Several', line: 'cogvlm2 ask receipt.png "What is the date?" "What is the total?"' },
    { about: 'From a pipe, for a script', line: 'curl -s "$URL" | cogvlm2 ask --json - "What is this?"' },
    {
      about: 'A question that begins with a dash',
      line: 'cogvlm2 ask chart.png -- "-5 or +5: which is drawn?"',
    },
    { about: 'A page of a PDF', line: 'cogvlm2 ask report.pdf --page 3 "Which quarter was best?"' },
    { about: 'No picture', line: 'cogvlm2 ask --text "What is a receipt?"' },
  ],
  notes: `Standard output holds the answers and nothing else: one after another, each ended by a newline. With several
questions, each question is written to standard error before its answer.

\`--json\` prints one object when all is answered. For one question:
\`{ model, picture, question, answer, finishReason, imageOrigin, seed, usage, timings }\`. For several:
\`{ model, picture, encoding: { origin, imageMs, visionMs }, answers: [{ question, answer, finishReason, imageOrigin, seed, usage, timings }, …] }\`.
\`imageOrigin\` is \`encoded\`, or \`disk\` when the image cache had the image and the vision tower was not run (\`visionMs\` is then 0).
\`usage\` is \`{ promptTokens, imageTokens, cachedTokens, completionTokens }\`; \`timings\` are milliseconds; \`finishReason\`
is \`stop\`, or \`length\` when the answer was cut at \`--max-tokens\`.`,

  async run(args, options, context) {
    const { picture: argument, questions } = readArguments(args, options.text);
    const { terminal } = context;
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    const picture =
      argument === null ? null : await readAskedPicture(argument, options, context, stop.signal);
    const startedAt = terminal.now();
    using model = await openModel({ ...options, alone: true }, context, progress, stop.signal);
    const before: Before = { loadMs: terminal.now() - startedAt };
    const round: Round = { context, progress, before, signal: stop.signal };
    const image = picture === null ? null : await imageFor(model, picture, questions.length, round);
    try {
      const answers = await askAll(model, image, questions, options, round);
      if (options.json) {
        const json = answersAsJson(model.info.name, picture, questions, answers, round.encoding);
        terminal.stdout.write(`${JSON.stringify(json)}\n`);
      }
      return 0;
    } finally {
      if (image !== null && 'dispose' in image) image.dispose();
    }
  },
});

interface Round {
  context: Context;
  progress: ProgressReport;
  before: Before;
  signal: AbortSignal;
  encoding?: Encoding;
}

/** Encoded when several questions share it; a single one takes the bytes, and counts the encoding as its own. */
async function imageFor(
  model: CogVLM2,
  picture: Picture,
  questions: number,
  round: Round,
): Promise<EncodedImage | Uint8Array> {
  if (questions === 1) return picture.bytes;
  const { signal, progress, before } = round;
  try {
    const image = await model.encodeImage(picture.bytes, { signal, onProgress: progress.report });
    const { origin, imageMs, visionMs } = image;
    round.encoding = { origin, imageMs, visionMs };
    before.pictureMs = imageMs + visionMs;
    return image;
  } finally {
    progress.clear();
  }
}

async function askAll(
  model: CogVLM2,
  image: EncodedImage | Uint8Array | null,
  questions: readonly string[],
  options: AskOptions,
  { context: { terminal }, progress, before, signal }: Round,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const question of questions) {
    if (questions.length > 1 && !options.quiet) terminal.stderr.write(`> ${question}\n`);
    const stream = model.ask(image, question, generateOptions(options, signal));
    const answer = await showAnswer(stream, terminal, progress, options.json);
    if (answer.finishReason === 'aborted' || signal.aborted) throw new CogVLM2Error('aborted', 'Stopped.');
    if (answer.finishReason === 'length' && !options.quiet) {
      terminal.stderr.write(`cogvlm2: the answer was cut at ${answer.usage.completionTokens} tokens.\n`);
    }
    if (options.verbose) terminal.stderr.write(renderTimings(answer, answers.length === 0 ? before : {}));
    answers.push(answer);
  }
  return answers;
}

function readArguments(args: readonly string[], textOnly: boolean) {
  const picture = textOnly ? null : args[0];
  const questions = textOnly ? args : args.slice(1);
  if (picture === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      'A picture and a question are needed, as in `cogvlm2 ask picture.png "What is this?"`.',
    );
  }
  if (questions.length === 0) {
    throw new CogVLM2Error(
      'invalid_value',
      `A question is needed, as in \`cogvlm2 ask ${textOnly ? '--text' : 'picture.png'} "What is this?"\`.`,
    );
  }
  if (questions.some((question) => question.trim() === '')) {
    throw new CogVLM2Error('invalid_value', 'The question is empty.');
  }
  return { picture, questions };
}
