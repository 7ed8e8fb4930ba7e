/**
 * The records of a TSV file, cut as pandas cuts them: a cell that begins with a quote may hold tabs, line ends and doubled
 * quotes; a quote further on is a character like others. Works on bytes, chunk by chunk, because the files hold gigabytes
 * of base64. All characters that matter are ASCII.
 */
import { CogVLM2Error } from '../../errors.ts';

const [tab, feed, carriage, quote, space] = [0x09, 0x0a, 0x0d, 0x22, 0x20];

type State = 'cell start' | 'cell' | 'quoted' | 'quote in quoted' | 'after return';

export interface TsvRecord {
  /** Its first byte in the file. */
  readonly start: number;
  /** Without the line end. */
  readonly bytes: Buffer;
}

/** Limit of a record: after a quote that is never closed, the rest of the file would be one record. */
const maxRecordBytes = 256 * 2 ** 20;

/**
 * All records, without those of empty lines and of lines of spaces.
 * @throws CogVLM2Error `invalid_value` for a record over the limit
 */
export async function* tsvRecords(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<TsvRecord> {
  let state: State = 'cell start';
  let parts: Uint8Array[] = [];
  let partBytes = 0;
  let fileBytes = 0;
  let start = 0;
  const finish = (last: Uint8Array): TsvRecord | undefined => {
    const bytes = Buffer.concat([...parts, last]);
    parts = [];
    partBytes = 0;
    const record = start === 0 && hasMark(bytes) ? { start: 3, bytes: bytes.subarray(3) } : { start, bytes };
    return record.bytes.every((byte) => byte === space) ? undefined : record;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (state === 'after return') {
        state = 'cell start';
        if (byte === feed) {
          from = at + 1;
          start = fileBytes + from;
          continue;
        }
      }
      if (byte > quote && state !== 'cell start' && state !== 'quote in quoted') continue;
      if (state === 'quoted') {
        if (byte === quote) state = 'quote in quoted';
      } else if (byte === quote && state !== 'cell') state = 'quoted';
      else if (byte === tab) state = 'cell start';
      else if (byte === feed || byte === carriage) {
        const record = finish(chunk.subarray(from, at));
        if (record !== undefined) yield record;
        state = byte === carriage ? 'after return' : 'cell start';
        from = at + 1;
        start = fileBytes + from;
      } else if (!isMark(fileBytes + at, byte)) state = 'cell';
    }
    parts.push(chunk.subarray(from));
    partBytes += chunk.length - from;
    fileBytes += chunk.length;
    if (partBytes > maxRecordBytes) {
      throw new CogVLM2Error(
        'invalid_value',
        `In ${path} the row that begins at byte ${start} is longer than ${maxRecordBytes} bytes: a quote is probably never closed.`,
      );
    }
  }
  const last = finish(new Uint8Array());
  if (last !== undefined) yield last;
}

const byteOrderMark = [0xef, 0xbb, 0xbf];

/** A quote after the byte order mark still begins a cell. */
function isMark(at: number, byte: number): boolean {
  return at < 3 && byte === byteOrderMark[at];
}

function hasMark(bytes: Buffer): boolean {
  return byteOrderMark.every((byte, i) => bytes[i] === byte);
}
