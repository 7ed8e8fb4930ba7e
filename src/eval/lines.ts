/** A file line by line, however long it is. readline would also cut at U+2028, which JSON may hold as it is. */
import { createReadStream } from 'node:fs';

export interface Line {
  readonly text: string;
  /** Bytes of the file up to the end of this line, its line feed included. */
  readonly endByte: number;
  /** False where the file ends without a line feed, as after a write that was cut short. */
  readonly ended: boolean;
}

export async function* linesOf(file: string): AsyncGenerator<Line> {
  const feed = 0x0a;
  let parts: Uint8Array[] = [];
  let endByte = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(feed); at !== -1; at = chunk.indexOf(feed, from)) {
      const bytes = Buffer.concat([...parts, chunk.subarray(from, at)]);
      parts = [];
      endByte += bytes.length + 1;
      from = at + 1;
      yield { text: bytes.toString('utf8'), endByte, ended: true };
    }
    parts.push(chunk.subarray(from));
  }
  const rest = Buffer.concat(parts);
  if (rest.length > 0) yield { text: rest.toString('utf8'), endByte: endByte + rest.length, ended: false };
}
