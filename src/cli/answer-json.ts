/** The object that `ask --json` prints; docs/cli.md promises its shape. */
import type { Answer } from '../generate/types.ts';
import type { EncodedImage } from '../model/encoded-image.ts';
import type { AskedPicture } from './picture.ts';

export type Encoding = Pick<EncodedImage, 'origin' | 'imageMs' | 'visionMs'>;

export function answersAsJson(
  model: string,
  asked: Pick<AskedPicture, 'label' | 'page'> | null,
  questions: readonly string[],
  answers: readonly Answer[],
  /** What encoding the picture for all of them took. */
  encoding: Encoding | undefined,
): Record<string, unknown> {
  const picture = asked?.label ?? null;
  const page = asked?.page ?? undefined;
  const each = answers.map(({ text, finishReason, imageOrigin, seed, usage, timings }, i) => ({
    question: questions[i],
    answer: text,
    finishReason,
    imageOrigin,
    seed,
    usage,
    timings,
  }));
  return each.length === 1
    ? { model, picture, page, ...each[0] }
    : { model, picture, page, encoding, answers: each };
}
