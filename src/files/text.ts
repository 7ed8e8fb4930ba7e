import { isUtf8 } from 'node:buffer';
import { createReadStream, readSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';

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

export interface Line {
  readonly text: string;
  /** False if the file ends without a line feed, as after an interrupted write. */
  readonly ended: boolean;
}

/**
 * Reads a file of any length line by line. `readline` would also split at U+2028, which JSON may contain.
 * @throws CogVLM2Error `invalid_value` for a line that is not UTF-8.
 */
export async function* linesOf(file: string): AsyncGenerator<Line> {
  const feed = 0x0a;
  let parts: Uint8Array[] = [];
  let number = 1;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(feed); at !== -1; at = chunk.indexOf(feed, from)) {
      const bytes = Buffer.concat([...parts, chunk.subarray(from, at)]);
      parts = [];

      from = at + 1;
      yield { text: textOf(bytes, `Line ${number} of ${file}`), ended: true };
      number += 1;
    }
    parts.push(chunk.subarray(from));
  }
  const rest = Buffer.concat(parts);
  if (rest.length === 0) return;
  const text = textOf(withoutHalfCharacter(rest), `Line ${number} of ${file}`);
  yield { text, ended: false };
}

/** Removes a partial character at the end, which an interrupted write leaves. */
function withoutHalfCharacter(bytes: Buffer): Buffer {
  const start = bytes.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  const first = bytes[start] ?? 0;
  const size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return start + size > bytes.length ? bytes.subarray(0, start) : bytes;
}

/**
 * Decodes text. Bytes that are not UTF-8 are refused; otherwise they would become U+FFFD in questions and scores.
 * @param place begins the sentence, as in "Line 3 of a.jsonl"
 * @throws CogVLM2Error `invalid_value`.
 */
export function textOf(bytes: Buffer, place: string): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new CogVLM2Error(
    'invalid_value',
    `${place} is not UTF-8: convert the file, as \`iconv -f GBK -t UTF-8\` does from GBK.`,
  );
}
