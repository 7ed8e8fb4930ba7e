/**
 * DocVQA: average normalised Levenshtein similarity, as the script of the RRC server has it and VLMEvalKit too.
 * The distance is taken over the folded texts, the length over the RAW ones after `upper()`: padding pays, so
 * give it stripped predictions. Exactly 0.5 is kept.
 */
import { CogVLM2Error } from '../../errors.ts';
import { words } from '../python/whitespace.ts';

export function scoreDocVqa(prediction: string, answers: readonly string[]): number {
  if (answers.length === 0) throw new CogVLM2Error('invalid_value', '0 answers; at least one is needed');
  const said = measured(prediction);
  const distance = answers.reduce(
    (least, answer) => Math.min(least, normalizedDistance(measured(answer), said)),
    Number.POSITIVE_INFINITY,
  );
  const score = 1 - distance;
  return score < 0.5 ? 0 : score;
}

interface Measured {
  /** Of the raw text. */
  readonly length: number;
  /** The folded text. */
  readonly characters: readonly string[];
}

function measured(text: string): Measured {
  return { length: Array.from(text.toUpperCase()).length, characters: Array.from(fold(text)) };
}

/** Infinity where the characters that one text has more than the other are already too many to score. */
function normalizedDistance(answer: Measured, said: Measured): number {
  const length = Math.max(answer.length, said.length);
  if (length === 0) return 0;
  const least = Math.abs(answer.characters.length - said.characters.length);
  return 2 * least > length
    ? Number.POSITIVE_INFINITY
    : levenshtein(answer.characters, said.characters) / length;
}

function fold(text: string): string {
  return words(text.toLowerCase()).join(' ');
}

/** Over code points: an emoji is one edit. */
function levenshtein(left: readonly string[], right: readonly string[]): number {
  let row = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (const [i, character] of left.entries()) {
    const next = [i + 1];
    for (const [j, other] of right.entries()) {
      const replaced = row[j]! + (character === other ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
