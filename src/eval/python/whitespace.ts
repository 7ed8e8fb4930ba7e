/**
 * Python's white space, for `strip`, `split` and `\s`. Unlike JavaScript's, it has U+001C..001F and U+0085, but not U+FEFF.
 * This changes scores: a byte order mark is a character of the answer.
 */
export const whitespaceClass =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const white = new RegExp(`[${whitespaceClass}]`, 'u');
const leading = new RegExp(`^[${whitespaceClass}]+`, 'u');
const inner = new RegExp(`[${whitespaceClass}]+`, 'u');

/** `text.strip()`, or `text.strip(characters)`, which removes the characters of a set from both ends. */
export function strip(text: string, characters?: string): string {
  if (characters === undefined) return stripWhite(text);
  const set = new Set(characters);
  const points = Array.from(text);
  let start = 0;
  let end = points.length;
  while (start < end && set.has(points[start]!)) start += 1;
  while (end > start && set.has(points[end - 1]!)) end -= 1;
  return points.slice(start, end).join('');
}

/** The end is stripped by a loop: a regular expression would take quadratic time for runs of white space inside the text. */
function stripWhite(text: string): string {
  let end = text.length;
  while (end > 0 && white.test(text[end - 1]!)) end -= 1;
  return text.slice(0, end).replace(leading, '');
}

/** `text.split()`: the words between runs of white space. */
export function words(text: string): string[] {
  const stripped = strip(text);
  return stripped === '' ? [] : stripped.split(inner);
}
