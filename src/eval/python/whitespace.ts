/**
 * Python's idea of white space, for `strip`, `split` and `\s`. Against JavaScript's it has U+001C..001F and
 * U+0085 more and U+FEFF less, which decides scores: a byte order mark is a character of the answer.
 */
export const whitespaceClass =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const outer = new RegExp(`^[${whitespaceClass}]+|[${whitespaceClass}]+$`, 'gu');
const inner = new RegExp(`[${whitespaceClass}]+`, 'u');

/** `text.strip()`, or `text.strip(characters)`: a set of characters taken off both ends. */
export function strip(text: string, characters?: string): string {
  if (characters === undefined) return text.replace(outer, '');
  const set = new Set(characters);
  const points = Array.from(text);
  let start = 0;
  let end = points.length;
  while (start < end && set.has(points[start]!)) start += 1;
  while (end > start && set.has(points[end - 1]!)) end -= 1;
  return points.slice(start, end).join('');
}

/** `text.split()`: words between runs of white space, none of them empty. */
export function words(text: string): string[] {
  const stripped = strip(text);
  return stripped === '' ? [] : stripped.split(inner);
}
