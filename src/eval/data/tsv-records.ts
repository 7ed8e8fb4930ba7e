/**
 * The records of a TSV file and their cells, split as pandas splits them: a cell that begins with a quote may have tabs, line
 * ends and doubled quotes; a quote elsewhere is an ordinary character. Works on bytes, chunk by chunk, because the files have
 * gigabytes of base64. All characters that matter are ASCII.
 */
import { CogVLM2Error } from '../../errors.ts';

const [tab, feed, carriage, quote, space] = [0x09, 0x0a, 0x0d, 0x22, 0x20];

type State = 'cell start' | 'cell' | 'quoted' | 'quote in quoted' | 'after return';

interface TsvRecord {
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

/** Start and end of each cell of a record. A cell that begins with a quote ends at the first tab after its closing quote. */
export function cellRanges(bytes: Buffer): [number, number][] {
  const ranges: [number, number][] = [];
  for (let start = 0; ; ) {
    let end = start;
    if (bytes[start] === quote) {
      end = bytes.indexOf(quote, start + 1);
      while (end !== -1 && bytes[end + 1] === quote) end = bytes.indexOf(quote, end + 2);
    }
    end = end === -1 ? -1 : bytes.indexOf(tab, end);
    ranges.push([start, end === -1 ? bytes.length : end]);
    if (end === -1) return ranges;
    start = end + 1;
  }
}

/** Long strings are matched in one step: a loop over single characters would exhaust the engine's stack. */
const quoted = /^"([^"]*(?:""[^"]*)*)"?([\s\S]*)$/;

/** Without the quotes around it, and with doubled quotes as one. */
export function cellText(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.startsWith('"')) return text;
  const [, inner = '', rest = ''] = quoted.exec(text)!;
  return inner.replaceAll('""', '"') + rest;
}
