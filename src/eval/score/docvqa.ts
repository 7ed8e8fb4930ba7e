/**
 * DocVQA: average normalised Levenshtein similarity, as the script of the RRC server has it and VLMEvalKit too.
 * The distance is taken over the folded texts, the length over the RAW ones after `upper()`: padding pays, so
 * give it stripped predictions. Exactly 0.5 is kept.
 */
import { CogVLM2Error } from '../../errors.ts';
import { words } from '../python/whitespace.ts';

export function scoreDocVqa(prediction: string, answers: readonly string[]): number {
  if (answers.length === 0) throw new CogVLM2Error('invalid_value', '0 answers; at least one is needed');
  const distances = answers.map((answer) => normalizedDistance(answer, prediction));
  const score = 1 - Math.min(...distances);
  return score < 0.5 ? 0 : score;
}

function normalizedDistance(answer: string, prediction: string): number {
  const length = Math.max(codePoints(answer.toUpperCase()), codePoints(prediction.toUpperCase()));
  return length === 0 ? 0 : levenshtein(fold(answer), fold(prediction)) / length;
}

function fold(text: string): string {
  return words(text.toLowerCase()).join(' ');
}

function codePoints(text: string): number {
  return Array.from(text).length;
}

/** Over code points: an emoji is one edit. */
export function levenshtein(left: string, right: string): number {
  const columns = Array.from(right);
  let row = Array.from({ length: columns.length + 1 }, (_, i) => i);
  for (const [i, character] of Array.from(left).entries()) {
    const next = [i + 1];
    for (const [j, other] of columns.entries()) {
      const replaced = row[j]! + (character === other ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[columns.length]!;
}
