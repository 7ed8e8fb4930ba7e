/**
 * Checks JSON while it arrives: size, nesting and number of values are limited before it is parsed.
 *
 * Images are most of the bytes of a body. A string of at least `LONG_STRING` characters without spaces looks like base64. The scanner
 * removes it from the JSON text, so that `JSON.parse` gets a small text and does not block the event loop. Afterwards it inserts the
 * string again. The result equals that of `JSON.parse` for the whole body, except for values of more than `LONGEST_STRING` characters,
 * which become a `LongString`.
 */
import { randomUUID } from 'node:crypto';
import { hexValue } from '../../image/data-url.ts';
import { ApiError } from '../api-error.ts';
import { REQUEST_LIMITS } from '../limits.ts';
import { LONGEST_STRING, LongString } from './long-string.ts';

const LONG_STRING = 2_048;
const PIECE_BYTES = 65_536;
const LIST = -1;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
/** Escapes that encoders use within base64: JSON allows `\/`, MIME has line breaks, .NET writes `+` as `\u002B`. */
const UNICODE = 0x75;
const SIMPLE_ESCAPES: Partial<Record<number, number>> = { 47: 0x2f, 110: 0x0a, 114: 0x0d };

/** Bytes of a long string that is not text: printable ASCII without space, quote and backslash. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > 0x20 && byte < 0x7f && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

export class JsonScanner {
  readonly #maxTextBytes: number;
  /** The JSON without its long strings. */
  readonly #text = new Bytes();
  /** The long string that is arriving, unescaped: whole pieces, and the bytes of the next piece. */
  #longPieces: Buffer[] = [];
  readonly #long = new Bytes();
  /** The number of fields of each open object so far; `LIST` for a list. */
  readonly #containers: number[] = [];
  #values = 0;
  #state: 'outside' | 'string' | 'escape' | 'long' | 'long-escape' | 'long-unicode' = 'outside';
  /** Position of the current string in the text, after its quote; -1 if it cannot be a long string. */
  #stringStart = -1;
  #isKeyNext = false;
  /** Digits of a Unicode escape so far. */
  #unicode: number[] = [];
  readonly #longStrings = new Map<string, string | LongString>();
  readonly #mark = randomUUID();

  /** @param maxTextBytes limit of the JSON without its long strings */
  constructor(maxTextBytes: number) {
    this.#maxTextBytes = maxTextBytes;
  }

  /**
   * Takes the next bytes. The work is proportional to their number.
   * @throws ApiError request_too_large, invalid_value (nesting, number of values or fields), invalid_json
   */
  push(chunk: Uint8Array): void {
    let i = 0;
    while (i < chunk.length) {
      if (this.#state === 'long') i = this.#longString(chunk, i);
      else if (this.#state === 'long-escape' || this.#state === 'long-unicode') this.#longEscape(chunk[i++]!);
      else this.#textByte(chunk[i++]!);
    }
  }

  /**
   * @throws SyntaxError, TypeError when the text is not JSON in UTF-8
   * @throws ApiError request_too_large for a `LongString` in a field that cannot have an image
   */
  parse(): unknown {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(this.#text.all());
    const value: unknown = JSON.parse(json);
    keepSeedDigits(value, json);
    return this.#longStrings.size === 0 ? value : this.#restore(value, '');
  }

  #textByte(byte: number): void {
    if (this.#text.size >= this.#maxTextBytes) throw this.#tooLarge();
    this.#text.push(byte);
    if (this.#state === 'escape') this.#escape(byte);
    else if (this.#state === 'string') this.#stringByte(byte);
    else if (byte === QUOTE) {
      const isKey = this.#isKeyNext && this.#containers.at(-1)! >= 0;
      this.#stringStart = isKey ? -1 : this.#text.size;
      this.#state = 'string';
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      this.#containers.push(byte === OPEN_OBJECT ? 1 : LIST);
      this.#isKeyNext = true;
      this.#countValue();
      if (this.#containers.length > REQUEST_LIMITS.depth) {
        throw new ApiError(
          'invalid_value',
          `The body is nested more than ${REQUEST_LIMITS.depth} levels deep; that is the limit.`,
        );
      }
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#containers.pop();
    else if (byte === COMMA) {
      this.#isKeyNext = true;
      this.#countValue();
      this.#countField();
    } else if (byte > 0x20) this.#isKeyNext = false;
  }

  #stringByte(byte: number): void {
    if (byte === QUOTE) {
      this.#state = 'outside';
      this.#isKeyNext = false;
      return;
    }
    if (byte === BACKSLASH) this.#state = 'escape';
    else if (IS_PLAIN[byte] === 0) this.#stringStart = -1;
    else if (this.#stringStart >= 0 && this.#text.size - this.#stringStart >= LONG_STRING) this.#beginLong();
  }

  /** Processes the byte after a backslash in text. */
  #escape(byte: number): void {
    this.#state = 'string';
    if (SIMPLE_ESCAPES[byte] === undefined && byte !== UNICODE) this.#stringStart = -1;
  }

  /** Moves the current string out of the text, if it is plain after unescaping. */
  #beginLong(): void {
    const start = this.#stringStart;
    const raw = this.#text.all().toString('latin1', start);
    // Not inside an escape.
    if (/\\u[0-9a-f]{0,3}$/i.test(raw)) return;
    this.#stringStart = -1;
    const text = unescaped(raw);
    if (text === undefined) return;
    this.#longPieces = [Buffer.from(text, 'latin1')];
    this.#long.size = 0;
    this.#text.size = start;
    this.#state = 'long';
  }

  /** @returns the index of the first remaining byte */
  #longString(chunk: Uint8Array, from: number): number {
    let end = from;
    while (end < chunk.length && IS_PLAIN[chunk[end]!] === 1) end++;
    if (end > from) this.#long.append(chunk.subarray(from, end));
    if (this.#long.size >= PIECE_BYTES) this.#endPiece();
    if (end === chunk.length) return end;
    const byte = chunk[end]!;
    if (byte === QUOTE) {
      const name = `${this.#mark} ${this.#longStrings.size}`;
      this.#longStrings.set(name, longValue(this.#takePieces()));
      this.#appendText(Buffer.from(name));
      this.#state = 'string';
      this.#stringStart = -1;
      return end;
    }
    if (byte === BACKSLASH) {
      this.#state = 'long-escape';
      return end + 1;
    }
    this.#isText();
    return end;
  }

  #longEscape(byte: number): void {
    if (this.#state === 'long-unicode') this.#unicodeDigit(byte);
    else if (byte === UNICODE) {
      this.#unicode = [];
      this.#state = 'long-unicode';
    } else {
      const plain = SIMPLE_ESCAPES[byte];
      if (plain === undefined) this.#isText(`\\${String.fromCharCode(byte)}`);
      else this.#addEscaped(plain);
    }
  }

  #unicodeDigit(byte: number): void {
    this.#unicode.push(byte);
    if (this.#unicode.length < 4) return;
    const code = this.#unicode.reduce((sum, digit) => 16 * sum + hexValue(digit), 0);
    // NaN if the digits are not hexadecimal.
    if (IS_PLAIN[code] === 1) this.#addEscaped(code);
    else this.#isText(`\\u${String.fromCharCode(...this.#unicode)}`);
  }

  #addEscaped(byte: number): void {
    this.#long.push(byte);
    this.#state = 'long';
  }

  /** Moves the long string back to the text, because it is text. */
  #isText(rest = ''): void {
    this.#stringStart = -1;
    this.#state = 'string';
    const sizeBytes = this.#longPieces.reduce((sum, piece) => sum + piece.length, this.#long.size);
    if (this.#text.size + sizeBytes > this.#maxTextBytes) throw this.#tooLarge();
    const text = Buffer.concat(this.#takePieces())
      .toString('latin1')
      .replaceAll('\n', '\\n')
      .replaceAll('\r', '\\r');
    this.#appendText(Buffer.from(text + rest, 'latin1'));
  }

  #endPiece(): void {
    this.#longPieces.push(Buffer.from(this.#long.all()));
    this.#long.size = 0;
  }

  /** Ends the long string. */
  #takePieces(): Buffer[] {
    this.#endPiece();
    const pieces = this.#longPieces;
    this.#longPieces = [];
    return pieces;
  }

  #appendText(bytes: Uint8Array): void {
    if (this.#text.size + bytes.length > this.#maxTextBytes) throw this.#tooLarge();
    this.#text.append(bytes);
  }

  #tooLarge(): ApiError {
    return new ApiError(
      'request_too_large',
      `The body without its images has more than ${this.#maxTextBytes} bytes; that is the limit (--max-json-bytes).`,
    );
  }

  #countValue(): void {
    if (++this.#values <= REQUEST_LIMITS.values) return;
    throw new ApiError(
      'invalid_value',
      `The body has more than ${REQUEST_LIMITS.values} values; that is the limit.`,
    );
  }

  #countField(): void {
    const fields = this.#containers.at(-1) ?? LIST;
    if (fields === LIST) return;
    this.#containers[this.#containers.length - 1] = fields + 1;
    if (fields < REQUEST_LIMITS.fields) return;
    throw new ApiError(
      'invalid_value',
      `The body has an object with more than ${REQUEST_LIMITS.fields} fields; that is the limit.`,
    );
  }

  /** @param field the name of the value's field */
  #restore(value: unknown, field: string): unknown {
    if (typeof value === 'string') return this.#restored(value, field);
    if (typeof value !== 'object' || value === null) return value;
    for (const [key, child] of Object.entries(value)) {
      const name = Array.isArray(value) ? field : key;
      if (typeof child !== 'string') this.#restore(child, name);
      else if (this.#longStrings.has(child)) {
        Object.defineProperty(value, key, {
          value: this.#restored(child, name),
          writable: true,
          enumerable: true,
          configurable: true,
        });
      }
    }
    return value;
  }

  #restored(text: string, field: string): string | LongString {
    const long = this.#longStrings.get(text) ?? text;
    if (typeof long === 'string' || LongString.mayBeIn(field)) return long;
    const where = field === '' ? '' : ` of ${JSON.stringify(field.slice(0, 60))}`;
    throw new ApiError(
      'request_too_large',
      `A string${where} has ${long.length} characters; only an image may have more than ${LONGEST_STRING}.`,
    );
  }
}

/** `JSON.parse` rounds integers beyond 2^53. A seed of the request keeps its digits, as a bigint. */
function keepSeedDigits(value: unknown, json: string): void {
  if (typeof value !== 'object' || value === null || !('seed' in value)) return;
  const { seed } = value;
  if (!Number.isInteger(seed) || Number.isSafeInteger(seed)) return;
  // No string can contain the key: its quotes would be escaped.
  const seeds = [...json.matchAll(/(?<!\\)"seed"\s*:\s*(-?\d+)(?![\d.eE])/g)].map(([, digits]) => digits!);
  const digits = seeds.findLast((digits) => Number(digits) === seed);
  if (digits !== undefined) value.seed = BigInt(digits);
}

function longValue(pieces: readonly Buffer[]): string | LongString {
  const long = new LongString(pieces);
  return long.length > LONGEST_STRING ? long : Buffer.concat(pieces).toString('latin1');
}

/** The text of a JSON string; undefined if it is no JSON string, or not plain. */
function unescaped(raw: string): string | undefined {
  try {
    const text: unknown = JSON.parse(`"${raw}"`);
    return typeof text === 'string' && /^[!-~\n\r]*$/.test(text) && !/["\\]/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes in one buffer that grows. */
class Bytes {
  size = 0;
  #buffer = Buffer.allocUnsafe(4_096);

  push(byte: number): void {
    this.#reserve(this.size + 1);
    this.#buffer[this.size++] = byte;
  }

  append(bytes: Uint8Array): void {
    this.#reserve(this.size + bytes.length);
    this.#buffer.set(bytes, this.size);
    this.size += bytes.length;
  }

  all(): Buffer {
    return this.#buffer.subarray(0, this.size);
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(size, 2 * this.#buffer.length));
    larger.set(this.all());
    this.#buffer = larger;
  }
}
