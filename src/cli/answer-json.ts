/** The object that `ask --json` prints. docs/cli.md promises its shape. */
import type { Answer } from '../generate/types.ts';
import type { EncodedImage } from '../model/encoded-image.ts';
import type { AskedPicture } from './picture.ts';

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
  asked: Pick<AskedPicture, 'label' | 'page'> | null,
  answers: readonly AnswerJson[],
  /** The time of encoding the image, if several questions share it. */
  encoding: Encoding | undefined,
): Record<string, unknown> {
  const head = { model, picture: asked?.label ?? null, page: asked?.page ?? undefined };
  return answers.length === 1 ? { ...head, ...answers[0] } : { ...head, encoding, answers };
}

/** What a person should know about an answer, as sentences. */
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
