/**
 * Text of a model or of a file, safe to show on a terminal: control characters could move the cursor, set the title or
 * worse, so each becomes the replacement character. What goes to a file or a pipe is left as it is.
 */
import type { OutputStream } from './terminal.ts';

export function printable(text: string, stream: OutputStream): string {
  return stream.isTTY === true ? text.replaceAll(/[^\P{Cc}\n\t]/gu, '\u{fffd}') : text;
}
