/**
 * DocVQA: average normalized Levenshtein similarity, as in the script of the RRC server and in VLMEvalKit. The distance is that
 * of the folded texts, but the length is that of the raw texts after `upper()`. So padding raises the score: pass stripped
 * predictions. A score of exactly 0.5 counts.
 */
import { CogVLM2Error } from '../../errors.ts';
import { words } from '../python/values.ts';

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
  /** Length of the raw text. */
  readonly length: number;
  /** Characters of the folded text. */
  readonly characters: readonly string[];
}

function measured(text: string): Measured {
  return { length: Array.from(text.toUpperCase()).length, characters: Array.from(fold(text)) };
}

/** Infinity if the difference in length alone makes the score 0. */
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

/** Compares code points: an emoji is one edit. */
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
