/** Reading and judging the open answers of MMMU, by the rules of the benchmark's own script. */
import { PythonFloat, parseFloatAsPython } from '../python/float.ts';
import { roundToHundredths } from '../python/round.ts';
import { repr, str } from '../python/str.ts';
import { strip } from '../python/whitespace.ts';

type Read = string | number;

const keyPhrases = ['could be ', 'so ', 'is ', 'thus ', 'therefore ', 'final ', 'answer ', 'result '];
const trivial = new Set([':', ',', '.', '!', '?', ';', "'"]);

// Python's \d, \b and \w know all of Unicode: in "5米" there is no end of a word after the 5.
const d = '\\p{Nd}';
const w = '[\\p{L}\\p{N}_]';
const edge = `(?:(?<=${w})(?!${w})|(?<!${w})(?=${w}))`;
const exponent = `[eE][+-]?${d}+`;
// Not from the middle of a run of digits, which fails where the whole run failed: a model that repeats itself writes long ones.
const run = `(?:-|(?<!${d}))${d}+`;
const numbers = [
  new RegExp(`-?${edge}${d}{1,3}(?:,${d}{3})+${edge}`, 'gu'),
  new RegExp(`${run}(?:\\.${d}+)?${exponent}`, 'gu'),
  new RegExp(`(?:${run}\\.${d}+|-?\\.${d}+|${run}${edge})(?!${exponent})(?![,${d}])`, 'gu'),
];

/** What the answer may mean: texts, and numbers to two places; texts first, each once. */
export function parseOpenAnswer(prediction: string): Read[] {
  const tails = keyTails(strip(strip(prediction), '.').toLowerCase());
  const found = tails.flatMap((tail) => numbers.flatMap((pattern) => tail.match(pattern) ?? []));
  const read = new Set([...tails, ...found].flatMap(normalize));
  return [...read].sort((left, right) => compareCodePoints(written(left), written(right)));
}

export function containsGold(read: readonly Read[], golds: readonly string[]): boolean {
  const wanted = golds.flatMap((gold) => normalize(str(gold)));
  return read.some((value) =>
    wanted.some((gold) =>
      typeof value === 'string' ? typeof gold === 'string' && value.includes(gold) : value === gold,
    ),
  );
}

/** Of each line the shortest tail after a key phrase; the whole text where no line has one. */
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

/** A number rounded, a text in lower case; a text of one character only as a word's start or end. */
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
