/**
 * Records of a TSV file as pandas cuts them: a cell that begins with a quote may hold tabs, line ends and doubled
 * quotes; a quote further on is a character like others. Works on bytes, chunk by chunk, because the files have
 * gigabytes of base64 in them: every mark that matters is ASCII.
 */
const [tab, feed, carriage, quote, space] = [0x09, 0x0a, 0x0d, 0x22, 0x20];

type Place = 'cell start' | 'cell' | 'quoted' | 'quote in quoted' | 'after return';

export interface TsvRecord {
  /** Bytes of the file before it. */
  readonly start: number;
  readonly bytes: Buffer;
}

/** Largest record that is read: a quote that is never closed would otherwise make one of all that follows. */
const maxRecordBytes = 256 * 2 ** 20;

/** All records but those of empty lines. @throws RangeError for a record over the limit, with its start in it. */
export async function* tsvRecords(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TsvRecord> {
  let place: Place = 'cell start';
  let parts: Uint8Array[] = [];
  let partBytes = 0;
  let fileBytes = 0;
  let start = 0;
  const finish = (last: Uint8Array): TsvRecord | undefined => {
    const bytes = Buffer.concat([...parts, last]);
    const record = { start, bytes: start === 0 ? withoutMark(bytes) : bytes };
    parts = [];
    partBytes = 0;
    return record.bytes.every((byte) => byte === space) ? undefined : record;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (place === 'after return') {
        place = 'cell start';
        if (byte === feed) {
          from = at + 1;
          start = fileBytes + from;
          continue;
        }
      }
      if (byte > quote && place !== 'cell start' && place !== 'quote in quoted') continue;
      if (place === 'quoted') {
        if (byte === quote) place = 'quote in quoted';
      } else if (byte === quote && place !== 'cell') place = 'quoted';
      else if (byte === tab) place = 'cell start';
      else if (byte === feed || byte === carriage) {
        const record = finish(chunk.subarray(from, at));
        if (record !== undefined) yield record;
        place = byte === carriage ? 'after return' : 'cell start';
        from = at + 1;
        start = fileBytes + from;
      } else if (!isMark(fileBytes + at, byte)) place = 'cell';
    }
    parts.push(chunk.subarray(from));
    partBytes += chunk.length - from;
    fileBytes += chunk.length;
    if (partBytes > maxRecordBytes) {
      throw new RangeError(`the row that begins at byte ${start} is longer than ${maxRecordBytes} bytes`);
    }
  }
  const last = finish(new Uint8Array());
  if (last !== undefined) yield last;
}

const byteOrderMark = [0xef, 0xbb, 0xbf];

/** The byte order mark that some programs begin a file with: a quote after it still begins a cell. */
function isMark(at: number, byte: number): boolean {
  return at < 3 && byte === byteOrderMark[at];
}

function withoutMark(bytes: Buffer): Buffer {
  return byteOrderMark.every((byte, i) => bytes[i] === byte) ? bytes.subarray(3) : bytes;
}

/** The cells of one record, without the quotes around them. */
export function cellsOf(text: string): string[] {
  if (!text.includes('"')) return text.split('\t');
  const cells: string[] = [];
  // Not a loop over single characters: a cell is as long as a picture may be, and each would cost memory.
  const cell = /(?:"([^"]*(?:""[^"]*)*)(?:"|$))?([^\t]*)(\t|$)/y;
  for (;;) {
    const [, quoted = '', rest = '', end] = cell.exec(text)!;
    cells.push(quoted.replaceAll('""', '"') + rest);
    if (end === '') return cells;
  }
}
