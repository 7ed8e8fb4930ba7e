/** Output of answers: text on standard output, JSON (docs/cli.md promises its shape), warnings and timings. */

import { realpathSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { writeFileWhole } from '../files/writing.ts';
import type { AnswerStream } from '../generate/answer-stream.ts';
import type { Answer } from '../generate/types.ts';
import type { ImageFile } from '../image/source.ts';
import type { EncodedImage } from '../model/encoded-image.ts';
import type { AskedImage } from './ask-arguments.ts';
import type { Context } from './command.ts';
import { formatCount, formatDuration, formatRate, printable, renderTable } from './format.ts';
import type { ProgressReport } from './progress.ts';
import type { Terminal } from './terminal.ts';

/** Writes the text as soon as it is generated, unless `hidden`. */
export async function showAnswer(
  stream: AnswerStream,
  terminal: Terminal,
  progress: ProgressReport,
  hidden = false,
): Promise<Answer> {
  let answer: Answer | undefined;
  let lineOpen = false;
  try {
    for await (const event of stream) {
      if (event.type === 'progress') progress.report(event.progress);
      else if (event.type === 'done') answer = event.answer;
      else if (!hidden && event.text !== '') {
        progress.clear();
        terminal.stdout.write(printable(event.text, terminal.stdout));
        lineOpen = !event.text.endsWith('\n');
      }
    }
  } finally {
    progress.clear();
    if (lineOpen) terminal.stdout.write('\n');
  }
  if (answer === undefined) throw new CogVLM2Error('aborted', 'The answer ended before it was complete.');
  if (!hidden && answer.text === '') terminal.stdout.write('\n');
  return answer;
}

export type Encoding = Pick<EncodedImage, 'origin' | 'imageMs' | 'visionMs'>;

export type AnswerJson = { question: string; answer: string; data?: unknown } & Omit<
  Answer,
  'text' | 'tokenIds' | 'logprobs'
>;

/** With a schema, `data` is the value of the answer, or null if it was cut. */
export function answerJson(question: string, answer: Answer, hasSchema: boolean): AnswerJson {
  const { text, tokenIds: _, logprobs: __, ...rest } = answer;
  const data = hasSchema ? { data: answer.finishReason === 'stop' ? JSON.parse(text) : null } : {};
  return { question, answer: text, ...data, ...rest };
}

export function answersJson(
  model: string,
  asked: Pick<AskedImage, 'label' | 'page'> | null,
  answers: readonly AnswerJson[],
  /** The time of encoding the image, if several questions share it. */
  encoding: Encoding | undefined,
): Record<string, unknown> {
  const head = { model, image: asked?.label ?? null, page: asked?.page ?? undefined };
  return answers.length === 1 ? { ...head, ...answers[0] } : { ...head, encoding, answers };
}

/** Warnings about an answer, for standard error. */
export function answerWarnings({
  text,
  finishReason,
  usage,
  warnings = [],
}: Pick<Answer, 'text' | 'finishReason' | 'usage'> & { warnings?: readonly string[] | undefined }): string[] {
  return [
    ...warnings,
    ...(text.trim() === '' ? ['the answer is empty.'] : []),
    ...(finishReason === 'length' ? [`the answer was cut at ${usage.completionTokens} tokens.`] : []),
  ];
}

/** Work before the question: loading the model, and encoding an image that several questions share. */
export interface Before {
  loadMs?: number;
  encodingMs?: number;
}

export function renderTimings(answer: Answer, before: Before = {}): string {
  const { timings: t, usage: u } = answer;
  const freshTokens = u.promptTokens - u.cachedTokens;
  const rows: string[][] = [];
  const stage = (name: string, ms: number | undefined, detail = '') => {
    if (ms !== undefined && ms > 0) rows.push([name, formatDuration(ms), detail]);
  };
  stage('load', before.loadMs);
  stage('image', before.encodingMs, 'decoded and encoded once for all questions');
  stage('decode image', t.imageMs);
  stage('vision', t.visionMs, `${formatCount(u.imageTokens)} image tokens`);
  if (answer.imageOrigin === 'disk') rows.push(['vision', 'not run', 'from the image cache on disk']);
  stage(
    'prefill',
    t.prefillMs,
    `${formatCount(freshTokens)} tokens, ${formatRate(freshTokens, t.prefillMs)} a second`,
  );
  stage('first token', t.firstTokenMs, 'after the question');
  stage(
    'decode',
    t.decodeMs,
    `${formatCount(t.perTokenMs.length)} steps, ${formatRate(t.perTokenMs.length, t.decodeMs)} a second`,
  );
  stage('total', t.totalMs);
  const cached = u.cachedTokens > 0 ? `, ${formatCount(u.cachedTokens)} from the prefix cache` : '';
  rows.push([
    'tokens',
    `${formatCount(u.promptTokens)} + ${formatCount(u.completionTokens)}`,
    `prompt (${formatCount(u.imageTokens)} of the image${cached}) + answer`,
  ]);
  rows.push(['finished by', answer.finishReason, `seed ${answer.seed}`]);
  return renderTable(rows);
}

// `ask --draw`: the boxes of the answers on the image.

const endings = ['.png', '.jpg', '.jpeg', '.webp'];

/**
 * Checks `--draw` before the model is loaded.
 * @param image the argument that names the image; null without one
 * @throws CogVLM2Error `invalid_value`
 */
export function checkDrawing(file: string, image: string | null): void {
  const fail = (why: string) => new CogVLM2Error('invalid_value', `--draw ${file}: ${why}`);
  if (image === null) throw fail('there is no image to draw on.');
  if (!endings.includes(path.extname(file).toLowerCase()))
    throw fail(`the file must end with ${endings.join(', ')}.`);
  if (realPath(file) !== undefined && realPath(file) === realPath(image))
    throw fail('this is the image itself; give the drawing another name.');
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined; // It does not exist, or it is a data URL.
  }
}

/** @returns a sentence about the result */
export async function drawAnswers(
  { library }: Context,
  image: ImageFile,
  answers: readonly Answer[],
  file: string,
): Promise<string> {
  const boxes = answers.flatMap((answer) => answer.boxes ?? []);
  if (boxes.length === 0) {
    return `no answer has a box such as [[086,540,400,760]], so ${file} was not written. Grounding models write them when the question asks for coordinates.`;
  }
  const drawn = boxes.map(({ phrase, box }) => ({ label: phrase, box }));
  const bytes = await library.drawBoxes(image, drawn, path.extname(file));
  writeFileWhole(file, bytes);
  return `${file} has ${formatCount(boxes.length)} ${boxes.length === 1 ? 'box' : 'boxes'}.`;
}
