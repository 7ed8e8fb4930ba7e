/**
 * MMMU. `official` parses option letters and open answers by the rules of the benchmark's own script; where that
 * script draws a letter at random we say undecided. VLMEvalKit makes every question multiple-choice: an open one
 * gets the gold text as A and "Other Answers" as B.
 */
import type { Profile } from '../benchmarks.ts';
import { type PythonValue, str } from '../python/str.ts';
import { strip, words } from '../python/whitespace.ts';
import { containsGold, parseOpenAnswer } from './mmmu-open.ts';
import { type Choices, matchOption } from './option-match.ts';

export interface MmmuQuestion {
  /** The gold letter or text; several texts for some open questions. */
  readonly answer: string | readonly string[];
  /** Empty for an open question. */
  readonly choices: Choices;
  /** The letter that a judge read where VLMEvalKit's matching found none. */
  readonly judged?: string | undefined;
}

export interface MmmuScore {
  /** Null where the reference would draw at random. */
  readonly score: number | null;
  /** The letter, or the texts and numbers read from an open answer; null where undecided. */
  readonly parsed: string | readonly (string | number)[] | null;
}

export function scoreMmmu(prediction: string, question: MmmuQuestion, profile: Profile): MmmuScore {
  const open = question.choices.size === 0;
  if (profile !== 'official') return scoreAsOptions(prediction, question, profile);
  const golds = typeof question.answer === 'string' ? [question.answer] : question.answer;
  if (open) {
    const parsed = parseOpenAnswer(prediction);
    return { parsed, score: containsGold(parsed, golds) ? 1 : 0 };
  }
  const parsed = parseLetter(prediction, question.choices) ?? null;
  return { parsed, score: parsed === null ? null : golds.includes(parsed) ? 1 : 0 };
}

function scoreAsOptions(prediction: string, question: MmmuQuestion, profile: Profile): MmmuScore {
  const { choices, right } = asOptions(question);
  const parsed = matchOption(prediction, choices, profile) ?? question.judged ?? null;
  return { parsed, score: parsed === right ? 1 : 0 };
}

/** An open question's gold text as an option; a gold text that is a capital letter is taken for an option's. */
export function asOptions({ answer, choices }: MmmuQuestion): { choices: Choices; right: string } {
  const gold = str(answer as PythonValue);
  const pair = new Map([
    ['A', gold],
    ['B', 'Other Answers'],
  ]);
  return { choices: choices.size > 0 ? choices : pair, right: /^[A-Z]$/.test(gold) ? gold : 'A' };
}

/** Letters in brackets, else letters between spaces, else option texts in answers of more than five words. */
export function parseLetter(prediction: string, choices: Choices): string | undefined {
  let stripped = prediction;
  for (const mark of [',', '.', '!', '?', ';', ':', "'"]) stripped = strip(stripped, mark);
  const response = ` ${stripped} `;
  const lower = response.toLowerCase();
  const letters = [...choices.keys()];
  return (
    last(response, letters, (letter) => `(${letter})`) ??
    last(response, letters, (letter) => ` ${letter} `) ??
    (words(response).length > 5
      ? last(lower, letters, (letter) => choices.get(letter)!.toLowerCase())
      : undefined)
  );
}

/** The letter whose last occurrence is furthest right; of equal ones the first. */
function last(
  text: string,
  letters: readonly string[],
  form: (letter: string) => string,
): string | undefined {
  let best: string | undefined;
  let furthest = -1;
  for (const letter of letters) {
    const at = text.lastIndexOf(form(letter));
    if (at > furthest) [best, furthest] = [letter, at];
  }
  return best;
}
