/**
 * VLMEvalKit's search for the option letter in an answer (MMBench, and MMMU in its profiles), now and in 2024. The rules in
 * order: some refusals are "Z" (none of the options); a single letter; since June 2026 "answer is **B**"; the text of exactly
 * one option. Since August 2025 the letter must be near the end, and the answer must not be much longer than the options.
 * `undefined` is undecided: a judge would decide.
 */
import type { Profile } from '../benchmarks.ts';
import { whitespaceClass, words } from '../python/values.ts';

/** Option letters and their texts, in order. */
export type Choices = ReadonlyMap<string, string>;

const noneOfThem = 'Z';
const failedCall = 'Failed to obtain answer via API';
const refusals = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  'Cannot determine the answer',
];
const s = `[${whitespaceClass}]`;
const answerIs = new RegExp(`answer${s}+is${s}+\\**([ABCD])`, 'iu');

export function matchOption(answer: string, choices: Choices, profile: Profile): string | undefined {
  return matchLetter(answer, choices, profile) ?? matchText(answer, choices, profile);
}

function matchLetter(answer: string, choices: Choices, profile: Profile): string | undefined {
  if (answer.includes(failedCall)) return undefined;
  if (refusals.some((refusal) => answer.includes(refusal))) return noneOfThem;
  const tokens = words(answer.replace(/[.()[\],:;!*#{}]/g, ' '));
  const letters = [...choices.keys()].filter((letter) => tokens.includes(letter));
  const only = letters.length === 1 ? letters[0]! : undefined;
  if (profile === 'vlmevalkit-2024') {
    return only ?? (letters.length === 0 && tokens.includes(noneOfThem) ? noneOfThem : undefined);
  }
  // The comparison of the reference accepts the last four tokens, although five were intended.
  if (only !== undefined && tokens.indexOf(only) > tokens.length - 5) return only;
  if (letters.length === 0 && tokens.includes(noneOfThem)) return noneOfThem;
  const said = answerIs.exec(answer)?.[1]?.toUpperCase();
  return said !== undefined && choices.has(said) ? said : undefined;
}

function matchText(answer: string, choices: Choices, profile: Profile): string | undefined {
  const lower = answer.toLowerCase();
  if (profile !== 'vlmevalkit-2024') {
    const optionLengths = [...choices.values()].map((text) => Array.from(text).length);
    if (Array.from(lower).length > 2 * optionLengths.reduce((sum, length) => sum + length, 0))
      return undefined;
  }
  const contained = [...choices].filter(([, text]) => lower.includes(text.toLowerCase()));
  return contained.length === 1 ? contained[0]![0] : undefined;
}
