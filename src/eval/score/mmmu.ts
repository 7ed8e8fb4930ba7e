/**
 * MMMU. `official` parses option letters and open answers by the rules of the benchmark's script; an answer is undecided if the
 * script would draw a letter at random. VLMEvalKit makes every question multiple-choice: an open question gets the gold text
 * as A and "Other Answers" as B.
 */
import type { Profile } from '../benchmarks.ts';
import {
  PythonFloat,
  type PythonValue,
  parseFloatAsPython,
  repr,
  roundToHundredths,
  str,
  strip,
  words,
} from '../python/values.ts';
import { optionalText, type Row } from '../row.ts';
import { type Choices, matchOption } from './option-match.ts';

export interface MmmuQuestion {
  /** The gold letter or text; several texts for some open questions. */
  readonly answer: string | readonly string[];
  /** Empty for an open question. */
  readonly choices: Choices;
  /** The letter that a judge found when VLMEvalKit's matching found none. */
  readonly judged?: string | undefined;
}

export interface MmmuScore {
  /** Null if the reference would draw at random. */
  readonly score: number | null;
  /** The letter, or the texts and numbers of an open answer; null if undecided. */
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

/** Makes the gold text of an open question an option. A gold text that is a capital letter is the letter of an option. */
export function asOptions({ answer, choices }: MmmuQuestion): { choices: Choices; right: string } {
  const gold = str(answer as PythonValue);
  const pair = new Map([
    ['A', gold],
    ['B', 'Other Answers'],
  ]);
  return { choices: choices.size > 0 ? choices : pair, right: /^[A-Z]$/.test(gold) ? gold : 'A' };
}

/** Finds letters in brackets, else letters between spaces, else option texts in answers of more than five words. */
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

/** The letter with the last occurrence in the text; the first letter if several are equal. */
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

// Open answers, by the rules of the script of the benchmark.

type Read = string | number;

const keyPhrases = ['could be ', 'so ', 'is ', 'thus ', 'therefore ', 'final ', 'answer ', 'result '];
const trivial = new Set([':', ',', '.', '!', '?', ';', "'"]);

// Python's \d, \b and \w are those of Unicode: in "5米" there is no end of a word after the 5.
const d = '\\p{Nd}';
const w = '[\\p{L}\\p{N}_]';
const edge = `(?:(?<=${w})(?!${w})|(?<!${w})(?=${w}))`;
const exponent = `[eE][+-]?${d}+`;
// A match does not start within a run of digits. It would fail like the whole run, in quadratic time for long runs.
const run = `(?:-|(?<!${d}))${d}+`;
const numbers = [
  new RegExp(`-?${edge}${d}{1,3}(?:,${d}{3})+${edge}`, 'gu'),
  new RegExp(`${run}(?:\\.${d}+)?${exponent}`, 'gu'),
  new RegExp(`(?:${run}\\.${d}+|-?\\.${d}+|${run}${edge})(?!${exponent})(?![,${d}])`, 'gu'),
];

/** Possible readings of an answer: texts first, then numbers with two decimals, without duplicates. */
export function parseOpenAnswer(prediction: string): Read[] {
  const tails = keyTails(strip(strip(prediction), '.').toLowerCase());
  const found = tails.flatMap((tail) => numbers.flatMap((pattern) => tail.match(pattern) ?? []));
  const read = new Set([...tails, ...found].flatMap(normalize));
  return [...read].sort((left, right) => compareCodePoints(written(left), written(right)));
}

function containsGold(read: readonly Read[], golds: readonly string[]): boolean {
  const wanted = golds.flatMap((gold) => normalize(str(gold)));
  return read.some((value) =>
    wanted.some((gold) =>
      typeof value === 'string' ? typeof gold === 'string' && value.includes(gold) : value === gold,
    ),
  );
}

/** The shortest text after a key phrase in each line; the whole text if no line has a key phrase. */
function keyTails(response: string): string[] {
  const lines = response.split('\n');
  const tails = lines.map((line, i) => {
    const phrases = i === lines.length - 1 ? [...keyPhrases, '='] : keyPhrases;
    let shortest = '';
    for (const phrase of phrases.filter((phrase) => line.includes(phrase))) {
      const tail = strip(line.slice(line.lastIndexOf(phrase) + phrase.length));
      if (shortest === '' || codePoints(tail) < codePoints(shortest)) shortest = tail;
    }
    return shortest;
  });
  const kept = tails.filter((tail) => tail !== '' && !trivial.has(tail));
  return kept.length === 0 ? [response] : kept;
}

/** Rounds a number, lower-cases a text. A text of one character matches only at the start or end of a word. */
function normalize(text: string): Read[] {
  const stripped = strip(text);
  const value = parseFloatAsPython(stripped.replaceAll(',', ''));
  if (value !== undefined) return [roundToHundredths(value)];
  const lower = stripped.toLowerCase();
  return codePoints(lower) === 1 ? [` ${lower}`, `${lower} `] : [lower];
}

function codePoints(text: string): number {
  return Array.from(text).length;
}

function written(value: Read): string {
  return repr(typeof value === 'number' ? new PythonFloat(value) : value);
}

function compareCodePoints(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

// The 30 subjects of MMMU in six domains, as in the report of the benchmark.

const domains: Readonly<Record<string, string>> = {
  'Art and Design': 'Art Art_Theory Design Music',
  Business: 'Accounting Economics Finance Manage Marketing',
  Science: 'Biology Chemistry Geography Math Physics',
  'Health and Medicine':
    'Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health',
  'Humanities and Social Science': 'History Literature Psychology Sociology',
  'Tech and Engineering':
    'Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power Materials Mechanical_Engineering',
};

const domainOf = new Map(
  Object.entries(domains).flatMap(([domain, subjects]) =>
    subjects.split(' ').map((subject): [string, string] => [subject, domain]),
  ),
);

/** Domain and subject of a row. Without a column, the subject is in the id. */
export function subjectsOf(row: Row): string[] {
  const [, fromId] = /^(?:dev|validation|test)_(.+)_\d+$/.exec(optionalText(row, 'id') ?? '') ?? [];
  const subject = (optionalText(row, 'category') ?? fromId)?.replaceAll(' ', '_');
  const domain = subject === undefined ? undefined : domainOf.get(subject);
  return [domain, subject].filter((name) => name !== undefined);
}
