/** A file line by line, however long it is. readline would also cut at U+2028, which JSON may hold as it is. */
import { createReadStream } from 'node:fs';
import { textOf } from '../files/utf8.ts';

export interface Line {
  readonly text: string;
  /** Bytes of the file up to the end of this line, its line feed included. */
  readonly endByte: number;
  /** False where the file ends without a line feed, as after a write that was cut short. */
  readonly ended: boolean;
}

/** @throws CogVLM2Error `invalid_value` for a line that is not UTF-8. */
export async function* linesOf(file: string): AsyncGenerator<Line> {
  const feed = 0x0a;
  let parts: Uint8Array[] = [];
  let endByte = 0;
  let number = 1;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(feed); at !== -1; at = chunk.indexOf(feed, from)) {
      const bytes = Buffer.concat([...parts, chunk.subarray(from, at)]);
      parts = [];
      endByte += bytes.length + 1;
      from = at + 1;
      yield { text: textOf(bytes, `Line ${number} of ${file}`), endByte, ended: true };
      number += 1;
    }
    parts.push(chunk.subarray(from));
  }
  const rest = Buffer.concat(parts);
  if (rest.length === 0) return;
  const text = textOf(withoutHalfCharacter(rest), `Line ${number} of ${file}`);
  yield { text, endByte: endByte + rest.length, ended: false };
}

/** What a write that was cut short leaves at the very end. */
function withoutHalfCharacter(bytes: Buffer): Buffer {
  const start = bytes.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  const first = bytes[start] ?? 0;
  const size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return start + size > bytes.length ? bytes.subarray(0, start) : bytes;
}
