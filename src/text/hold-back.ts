/**
 * How many characters at the end of `text` could be the start of `pattern`: the longest ending of `text` that begins
 * `pattern` and is not all of it. Those must wait for what comes next.
 */
export function heldBack(text: string, pattern: string): number {
  for (let length = Math.min(text.length, pattern.length - 1); length > 0; length--) {
    if (text.endsWith(pattern.slice(0, length))) return length;
  }
  return 0;
}
