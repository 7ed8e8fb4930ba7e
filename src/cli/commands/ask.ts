/** `cogvlm2 ask IMAGE QUESTION...`: answers on standard output, messages on standard error. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { writeFileWhole } from '../../files/writing.ts';
import type { CogVLM2 } from '../../generate/cogvlm2.ts';
import type { Answer, GenerateOptions } from '../../generate/types.ts';
import type { ImageFile } from '../../image/source.ts';
import type { EncodedImage } from '../../model/encoded-image.ts';
import {
  answerJson,
  answersJson,
  answerWarnings,
  type Before,
  checkDrawing,
  drawAnswers,
  type Encoding,
  renderTimings,
  showAnswer,
} from '../answer-output.ts';
import { type AskedImage, readAskArguments, readAskedImage } from '../ask-arguments.ts';
import { type Context, defineCommand } from '../command.ts';
import { csvTable } from '../csv.ts';
import { flagGroup } from '../flags.ts';
import { openModel } from '../open-model.ts';
import {
  answerOptions,
  debugOption,
  formOptions,
  generateOptions,
  jsonOption,
  modelOptions,
  outputOptions,
  readSchema,
} from '../options.ts';
import { createProgress, type ProgressReport } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';

const askOptions = z.object({
  text: flagGroup('Answer')(
    z.boolean().default(false),
    'Ask without an image: every argument is a question.',
  ),
  page: flagGroup('Image')(z.int().min(1).optional(), 'Page of a PDF, from 1; the first page by default.', {
    short: 'p',
    value: 'N',
  }),
  draw: flagGroup('Image')(
    z.string().optional(),
    'Draw the boxes of the answers on the image, for grounding models: .png, .jpg or .webp.',
    { value: 'FILE' },
  ),
  evidence: flagGroup('Output')(
    z.string().min(1).optional(),
    'PNG file to write: the image with marks where the answers were read. Experimental: tuned on the demo model.',
    { value: 'FILE' },
  ),
  ...answerOptions,
  ...formOptions,
  ...modelOptions,
  ...jsonOption,
  ...outputOptions,
  ...debugOption,
});
type AskOptions = z.output<typeof askOptions>;

export const ask = defineCommand({
  name: 'ask',
  summary: 'Ask questions about an image',
  arguments: [
    {
      name: 'IMAGE',
      about:
        'an image or a PDF: a path, - for standard input, or a data URL; for video models also a video or a folder of frames',
    },
    { name: 'QUESTION', about: 'each is answered separately; the image is encoded once', variadic: true },
  ],
  options: askOptions,
  examples: [
    { about: 'One question', line: 'cogvlm2 ask receipt.png "What is the total?"' },
    { about: 'Several questions', line: 'cogvlm2 ask receipt.png "What is the date?" "What is the total?"' },
    { about: 'From a pipe, for a script', line: 'curl -s "$URL" | cogvlm2 ask --json - "What is this?"' },
    {
      about: 'A question that begins with a dash',
      line: 'cogvlm2 ask chart.png -- "-5 or +5: which is drawn?"',
    },
    { about: 'A page of a PDF', line: 'cogvlm2 ask report.pdf --page 3 "Which quarter was best?"' },
    {
      about: 'Fields of a form, as a table',
      line: 'cogvlm2 ask invoice.png "Read the invoice." --schema invoice.json --csv',
    },
    {
      about: 'Positions of objects, with a grounding model',
      line: 'cogvlm2 ask street.jpg "Where is the car? answer in [[x0,y0,x1,y1]] format." -m v1.gguf --draw boxes.png',
    },
    {
      about: 'A video, with a video model',
      line: 'cogvlm2 ask clip.mp4 "Please describe this video in detail." --model cogvlm2-llama3-caption',
    },
    {
      about: 'Where the answer was read',
      line: 'cogvlm2 ask receipt.png "What is the total?" --evidence marked.png',
    },
    { about: 'Without an image', line: 'cogvlm2 ask --text "What is a receipt?"' },
  ],
  notes: `Standard output has the answers only, each followed by a newline. With several questions, each question is written to
standard error before its answer. An argument that is an existing file is the image, never a question.

\`--schema\` takes a JSON Schema, which is enforced while the answer is generated. \`--csv\` prints a table: one row for each
answer, one column for each field of the schema.

\`--json\` prints one object after the last answer. For one question:
\`{ model, image, question, answer, finishReason, imageOrigin, seed, usage, timings }\`. For several:
\`{ model, image, encoding: { origin, imageMs, visionMs }, answers: [{ question, answer, finishReason, imageOrigin, seed, usage, timings }, …] }\`.
\`imageOrigin\` is \`encoded\`, or \`disk\` when the image cache had the image and the vision tower was not run (\`visionMs\` is then 0).
\`usage\` is \`{ promptTokens, imageTokens, cachedTokens, completionTokens }\`; \`timings\` are milliseconds; \`finishReason\`
is \`stop\`, or \`length\` if the answer was cut at \`--max-tokens\`. With \`--schema\`, \`data\` is the parsed answer.
\`boxes\`, if the answer has some, is \`[{ phrase, box: [left, top, right, bottom] }, …]\` in fractions of the image's width and height;
\`--draw\` draws those of all answers. \`warnings\`, if
present, lists parts of the image that were ignored or changed. With \`--evidence\`, each answer has \`evidence\` (docs/library.md).

\`--evidence\` writes the image with a mark on each cell that the answer was read from; each question has its own colour.`,

  async run(args, options, context) {
    if (options.json && options.csv)
      throw new CogVLM2Error('invalid_value', 'Either --json or --csv, not both.');
    const { image: argument, questions, notices } = readAskArguments(args, options.text);
    const { terminal } = context;
    if (options.evidence !== undefined && argument === null) {
      throw new CogVLM2Error('invalid_value', '--evidence needs an image to mark.');
    }
    if (!options.quiet) for (const notice of notices) terminal.stderr.write(`cogvlm2: ${notice}\n`);
    const format = readSchema(options.schema);
    if (options.draw !== undefined) checkDrawing(options.draw, argument);
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    const asked = argument === null ? null : await readAskedImage(argument, options, context, stop.signal);
    const drawable = typeof asked?.image === 'string' ? undefined : asked?.image;
    if (asked !== null && drawable === undefined) refuseToDraw(options);
    const startedAt = terminal.now();
    using model = await openModel({ ...options, sequences: 1 }, context, progress, stop.signal);
    const before: Before = { loadMs: terminal.now() - startedAt };
    const generate = {
      ...generateOptions(options, stop.signal),
      ...(format && { format }),
      ...(options.evidence !== undefined && { evidence: true }),
    };
    const round: Round = { context, progress, before, signal: stop.signal, generate };
    const image = asked === null ? null : await imageFor(model, asked, questions.length, round);
    try {
      const answers = await askAll(model, image, questions, options, round);
      if (drawable !== undefined && options.evidence !== undefined) {
        const evidence = answers.flatMap((answer) => answer.evidence ?? []);
        writeFileWhole(options.evidence, await context.library.markEvidence(drawable, evidence));
      }
      const each = answers.map((answer, i) => answerJson(questions[i]!, answer, format !== undefined));
      if (options.json) {
        const json = answersJson(model.info.name, asked, each, round.encoding);
        terminal.stdout.write(`${JSON.stringify(json)}\n`);
      } else if (options.csv) {
        const rows = each.map(({ question, answer, data }) => ({
          head: { question },
          answer: data ?? answer,
        }));
        terminal.stdout.write(csvTable(rows));
      }
      if (drawable !== undefined && options.draw !== undefined) {
        const drawn = await drawAnswers(context, drawable, answers, options.draw);
        if (!options.quiet) terminal.stderr.write(`cogvlm2: ${drawn}\n`);
      }
      return 0;
    } finally {
      if (image !== null && typeof image !== 'string' && 'dispose' in image) image.dispose();
    }
  },
});

interface Round {
  context: Context;
  progress: ProgressReport;
  before: Before;
  signal: AbortSignal;
  generate: GenerateOptions;
  encoding?: Encoding;
}

/** A video is no image to draw on. @throws CogVLM2Error `invalid_value` */
function refuseToDraw({ draw, evidence }: AskOptions): void {
  if (draw === undefined && evidence === undefined) return;
  const option = draw === undefined ? '--evidence' : '--draw';
  throw new CogVLM2Error('invalid_value', `${option} draws on images, not on videos.`);
}

/** Encoded if several questions share it. A single question takes the bytes, and its timings include the encoding. */
async function imageFor(
  model: CogVLM2,
  named: AskedImage,
  questions: number,
  round: Round,
): Promise<EncodedImage | ImageFile | string> {
  if (questions === 1) return named.image;
  const { signal, progress, before, generate } = round;
  try {
    const image = await model.encodeImage(named.image, {
      ...(generate.template && { template: generate.template }),
      signal,
      onProgress: progress.report,
    });
    const { origin, imageMs, visionMs } = image;
    round.encoding = { origin, imageMs, visionMs };
    before.encodingMs = imageMs + visionMs;
    return image;
  } finally {
    progress.clear();
  }
}

async function askAll(
  model: CogVLM2,
  image: EncodedImage | ImageFile | string | null,
  questions: readonly string[],
  options: AskOptions,
  { context: { terminal }, progress, before, signal, generate }: Round,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const question of questions) {
    if (questions.length > 1 && !options.quiet) terminal.stderr.write(`> ${question}\n`);
    const stream = model.ask(image, question, generate);
    const answer = await showAnswer(stream, terminal, progress, options.json || options.csv);
    if (answer.finishReason === 'aborted' || signal.aborted) throw new CogVLM2Error('aborted', 'Stopped.');
    if (!options.quiet) {
      for (const warning of answerWarnings(answer)) terminal.stderr.write(`cogvlm2: ${warning}\n`);
    }
    if (options.verbose) terminal.stderr.write(renderTimings(answer, answers.length === 0 ? before : {}));
    answers.push(answer);
  }
  return answers;
}
