/** The object that `ask --json` prints; docs/cli.md promises its shape. */
import type { Answer } from '../generate/types.ts';

export function answersAsJson(
  model: string,
  picture: string | null,
  questions: readonly string[],
  answers: readonly Answer[],
): Record<string, unknown> {
  const each = answers.map(({ text, finishReason, seed, usage, timings }, i) => ({
    question: questions[i],
    answer: text,
    finishReason,
    seed,
    usage,
    timings,
  }));
  return each.length === 1 ? { model, picture, ...each[0] } : { model, picture, answers: each };
}
