/**
 * How many characters at the end of `text` may be the start of `pattern`: the length of the longest proper prefix of
 * `pattern` that `text` ends with. These are held back until the next characters decide.
 */
export function heldBack(text: string, pattern: string): number {
  for (let length = Math.min(text.length, pattern.length - 1); length > 0; length--) {
    if (text.endsWith(pattern.slice(0, length))) return length;
  }
  return 0;
}
