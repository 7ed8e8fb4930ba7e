/**
 * TextVQA: VQA soft accuracy. Each annotator is left out in turn; an answer is right if three of the others agree with it.
 * `official` is m4c, which needs exactly ten answers.
 */
import { CogVLM2Error } from '../../errors.ts';
import type { Profile } from '../benchmarks.ts';
import { strip, words } from '../python/values.ts';

export function scoreTextVqa(prediction: string, answers: readonly string[], profile: Profile): number {
  if (answers.length === 0 || (profile === 'official' && answers.length !== 10)) {
    const wanted = profile === 'official' ? 'exactly 10 answers' : 'at least one answer';
    throw new CogVLM2Error(
      'invalid_value',
      `${answers.length} answers; the ${profile} scorer takes ${wanted}`,
    );
  }
  const rules = profile === 'official' ? 'm4c' : 'vlmevalkit';
  const predicted = normalizeAnswer(prediction, rules);
  const agrees = answers.map((answer) => normalizeAnswer(answer, rules) === predicted);
  const agreeing = agrees.filter(Boolean).length;
  const accuracies = agrees.map((own) => Math.min(1, (agreeing - (own ? 1 : 0)) / 3));
  return accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / answers.length;
}

// The answer normalization of the VQA family, in the variants of VLMEvalKit and of m4c (the official TextVQA evaluation). The
// rules are those of the VQA v2 evaluation, https://visualqa.org/evaluation.html.

const marks = [...';/[]"{}()=+\\_-><@`,?!'];
const digitCommaDigit = /\p{Nd},\p{Nd}/u;
const periods = {
  vlmevalkit: /(?<!\p{Nd})\.(?!\p{Nd})/gu,
  m4c: /\.(?!\p{Nd})/gu,
};
/** The reference passes a flag (32) instead of the count, so at most 32 periods are removed. */
const maxPeriods = 32;

export function normalizeAnswer(text: string, rules: keyof typeof periods): string {
  const tokenized = rules === 'm4c' ? splitPossessives(text) : text;
  const line = strip(tokenized.replaceAll('\n', ' ').replaceAll('\t', ' '));
  return normalizeWords(dropPunctuation(line, periods[rules]));
}

function splitPossessives(text: string): string {
  return strip(text.toLowerCase().replaceAll(',', '').replaceAll('?', '').replaceAll("'s", " 's"));
}

/** A mark is removed if it is beside a space anywhere or a digit group has a comma; otherwise it becomes a space. */
function dropPunctuation(text: string, period: RegExp): string {
  const grouped = digitCommaDigit.test(text);
  let result = text;
  for (const mark of marks) {
    const spaced = text.includes(`${mark} `) || text.includes(` ${mark}`);
    result = result.replaceAll(mark, spaced || grouped ? '' : ' ');
  }
  let count = 0;
  return result.replace(period, (found) => {
    count += 1;
    return count <= maxPeriods ? '' : found;
  });
}

const numberWords = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const numbers = new Map([
  ['none', '0'],
  ...numberWords.map((word, i): [string, string] => [word, String(i)]),
]);
const articles = new Set(['a', 'an', 'the']);

function normalizeWords(text: string): string {
  return words(text.toLowerCase())
    .map((word) => numbers.get(word) ?? word)
    .filter((word) => !articles.has(word))
    .map((word) => contractions.get(word) ?? word)
    .join(' ');
}

/**
 * Contractions: a word without its apostrophe, and the word with it. The list is part of the metric and keeps its errors:
 * `somebody'd` loses its apostrophe, and the four words with a capital I never match, because the text is lower-case.
 */
const restored = `ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd
how'll how's I'm I've isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't
shan't should've shouldn't somebody'll somebody's someone'd someone'll someone's something'd something'll that's
there'd there're there's they'd they'll they're they've 'twas wasn't we've weren't what'll what're what's what've
when's where'd where's where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd
you'll you're you've`;

/** Words with two apostrophes, each of which may be missing. */
const restoredTwice = `couldn't've hadn't've he'd've I'd've it'd've mightn't've she'd've shouldn't've somebody'd've
someone'd've something'd've there'd've they'd've we'd've who'd've wouldn't've y'all'll you'd've`;

function eachApostropheDropped(word: string): [string, string][] {
  return Array.from(word.matchAll(/'/g), ({ index }) => [word.slice(0, index) + word.slice(index + 1), word]);
}

export const contractions: ReadonlyMap<string, string> = new Map([
  ...restored.split(/\s+/).flatMap(eachApostropheDropped),
  ...restoredTwice.split(/\s+/).flatMap(eachApostropheDropped),
  ...eachApostropheDropped("y'all'd've"),
  ...eachApostropheDropped("'ow's'at"),
  ["somebody'd", 'somebodyd'],
  ["let's", "let's"],
  ["she's", "she's"],
]);
