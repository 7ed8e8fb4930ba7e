/**
 * Python's idea of white space, for `strip`, `split` and `\s`. Against JavaScript's it has U+001C..001F and
 * U+0085 more and U+FEFF less, which decides scores: a byte order mark is a character of the answer.
 */
export const whitespaceClass =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const white = new RegExp(`[${whitespaceClass}]`, 'u');
const leading = new RegExp(`^[${whitespaceClass}]+`, 'u');
const inner = new RegExp(`[${whitespaceClass}]+`, 'u');

/** `text.strip()`, or `text.strip(characters)`: a set of characters taken off both ends. */
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

/** From the end by hand: an expression would go along every inner run of white space once for each of its characters. */
function stripWhite(text: string): string {
  let end = text.length;
  while (end > 0 && white.test(text[end - 1]!)) end -= 1;
  return text.slice(0, end).replace(leading, '');
}

/** `text.split()`: words between runs of white space, none of them empty. */
export function words(text: string): string[] {
  const stripped = strip(text);
  return stripped === '' ? [] : stripped.split(inner);
}
