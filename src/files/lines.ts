import { readSync } from 'node:fs';
import { textOf } from './utf8.ts';

/** `offset` and `sizeBytes` locate the line in the file, without its line feed. */
export type OnLine = (text: string, lineNumber: number, offset: number, sizeBytes: number) => void;

/**
 * Calls `onLine` for every line of an open file that ends with a line feed. Reads a megabyte at a time.
 * @param file its path, for errors
 * @returns the bytes of these lines, and the bytes after the last line feed
 * @throws CogVLM2Error `invalid_value` for a line that is not UTF-8
 */
export function eachLine(
  descriptor: number,
  file: string,
  onLine: OnLine,
): { wholeBytes: number; rest: Buffer } {
  const buffer = Buffer.alloc(2 ** 20);
  let left: Buffer[] = [];
  let [wholeBytes, readBytes, lineNumber] = [0, 0, 0];
  for (;;) {
    const count = readSync(descriptor, buffer, 0, buffer.length, readBytes);
    if (count === 0) return { wholeBytes, rest: Buffer.concat(left) };
    let start = 0;
    for (;;) {
      const end = buffer.subarray(0, count).indexOf(0x0a, start);
      if (end < 0) break;
      const line = Buffer.concat([...left, buffer.subarray(start, end)]);
      left = [];
      start = end + 1;
      lineNumber++;
      onLine(textOf(line, `Line ${lineNumber} of ${file}`), lineNumber, wholeBytes, line.length);
      wholeBytes = readBytes + start;
    }
    left.push(Buffer.from(buffer.subarray(start, count)));
    readBytes += count;
  }
}
