/**
 * The answer normalisation of the VQA family, as VLMEvalKit does it and as m4c (the official TextVQA evaluation)
 * does it; the rules are those of the VQA v2 evaluation, https://visualqa.org/evaluation.html.
 */
import { strip, words } from '../python/whitespace.ts';
import { contractions } from './contractions.ts';

const marks = [...';/[]"{}()=+\\_-><@`,?!'];
const digitCommaDigit = /\p{Nd},\p{Nd}/u;
const periods = {
  vlmevalkit: /(?<!\p{Nd})\.(?!\p{Nd})/gu,
  m4c: /\.(?!\p{Nd})/gu,
};
/** The reference passes a flag where the count belongs: only so many periods are taken out. */
const mostPeriods = 32;

export function normalizeAnswer(text: string, rules: keyof typeof periods): string {
  const tokenized = rules === 'm4c' ? splitPossessives(text) : text;
  const line = strip(tokenized.replaceAll('\n', ' ').replaceAll('\t', ' '));
  return normalizeWords(dropPunctuation(line, periods[rules]));
}

function splitPossessives(text: string): string {
  return strip(text.toLowerCase().replaceAll(',', '').replaceAll('?', '').replaceAll("'s", " 's"));
}

/** A mark goes without a trace where it stands beside a space somewhere, or a digit group has a comma. */
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
    return count <= mostPeriods ? '' : found;
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
