/** Decodes base64 data URLs, at once or in steps between which the event loop runs. */
import { setImmediate } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { shorten } from '../messages.ts';
import { DEFAULT_IMAGE_LIMITS } from './formats.ts';

/** An ASCII text that is stored as bytes, because creating a string of that length would block the event loop. */
export interface LongText {
  /** In characters. */
  readonly length: number;
  readonly pieces: readonly Uint8Array[];
}

/** RFC 2397: a media type, parameters, and the mark of base64. The type is ignored: the bytes decide the format. */
const DATA_URL = /^data:[^,]{0,1000}?;\s*base64\s*,/i;
const HEAD_CHARACTERS = 1_100;
/** Characters that are decoded in one step: less than a millisecond. */
const STEP_CHARACTERS = 2 ** 16;

/**
 * The bytes in a base64 data URL. As in browsers, white space between the characters and missing padding do not
 * matter (https://infra.spec.whatwg.org/#forgiving-base64-decode), and characters may be percent-encoded.
 * @throws CogVLM2Error invalid_value, image_too_large, invalid_image (no bytes)
 */
export function readDataUrl(url: string, maxBytes: number = DEFAULT_IMAGE_LIMITS.maxBytes): Uint8Array {
  const steps = decodeDataUrl(url, maxBytes);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** `readDataUrl` in steps between which the event loop runs. @throws CogVLM2Error as `readDataUrl` */
export async function readDataUrlInSteps(url: string | LongText, maxBytes: number): Promise<Uint8Array> {
  const steps = decodeDataUrl(url, maxBytes);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await setImmediate();
  }
}

function* decodeDataUrl(url: string | LongText, maxBytes: number): Generator<void, Uint8Array> {
  const beginning = typeof url === 'string' ? url.slice(0, HEAD_CHARACTERS) : headOf(url, HEAD_CHARACTERS);
  const head = DATA_URL.exec(beginning)?.[0];
  if (head === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      `An image's data URL starts with data:image/png;base64, (or another image type); this one starts with ${shorten(beginning)}.`,
    );
  }
  const decoder = new Base64Decoder(url.length - head.length, maxBytes);
  for (const step of stepsOf(url, head.length)) {
    decoder.push(step);
    yield;
  }
  return decoder.end();
}

/** The first characters of a long text. */
export function headOf({ pieces }: LongText, count: number): string {
  let head = '';
  for (const piece of pieces) {
    if (head.length >= count) break;
    head += Buffer.from(piece.subarray(0, count - head.length)).toString('latin1');
  }
  return head;
}

/** The bytes after the first `from` characters, in steps. */
function* stepsOf(url: string | LongText, from: number): Generator<Uint8Array, void> {
  if (typeof url === 'string') {
    for (let at = from; at < url.length; at += STEP_CHARACTERS)
      yield Buffer.from(url.slice(at, at + STEP_CHARACTERS));
    return;
  }
  let skip = from;
  for (const piece of url.pieces) {
    for (let at = skip; at < piece.length; at += STEP_CHARACTERS)
      yield piece.subarray(at, at + STEP_CHARACTERS);
    skip = Math.max(0, skip - piece.length);
  }
}

const [DIGIT, SPACE, PADDING, PERCENT] = [1, 2, 3, 4];

/** The kind of each byte; 0 for a byte that base64 does not have. The digits are those of both alphabets of RFC 4648. */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9+/_-]/.test(character)) return DIGIT;
  if (/[\t\n\v\f\r ]/.test(character)) return SPACE;
  return character === '=' ? PADDING : character === '%' ? PERCENT : 0;
});

/** The value of a hexadecimal digit; NaN for another byte. */
export function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN;
}

/** Decodes base64 that arrives in steps of any length, into one buffer. */
class Base64Decoder {
  readonly #length: number;
  readonly #maxBytes: number;
  readonly #bytes: Buffer;
  #sizeBytes = 0;
  /** Digits that are not decoded yet. */
  readonly #digits: Buffer;
  #count = 0;
  #padding = 0;
  /** After a percent sign: the value of its first digit, or -1 before that digit. Otherwise null. */
  #escape: number | null = null;

  /** @param length number of characters, of all steps together */
  constructor(length: number, maxBytes: number) {
    this.#length = length;
    this.#maxBytes = maxBytes;
    this.#digits = Buffer.allocUnsafe(Math.min(length, STEP_CHARACTERS) + 4);
    const most = Math.ceil((length * 3) / 4) + 4;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(most, maxBytes + STEP_CHARACTERS));
  }

  /** @throws CogVLM2Error invalid_value, image_too_large */
  push(step: Uint8Array): void {
    checkSize(this.#sizeBytes, this.#maxBytes);
    let at = 0;
    while (at < step.length) {
      // Almost every byte is a digit.
      if (this.#escape === null && this.#padding === 0) at = this.#addDigits(step, at);
      if (at === step.length) break;
      const byte = step[at++]!;
      if (this.#escape !== null) this.#escaped(byte);
      else if (KINDS[byte] === PERCENT) this.#escape = -1;
      else this.#character(byte);
    }
    this.#decode(this.#count - (this.#count % 4));
  }

  /** @throws CogVLM2Error invalid_value, image_too_large, invalid_image (no bytes) */
  end(): Uint8Array {
    if (this.#escape !== null || this.#count === 1) throw this.#notBase64();
    this.#decode(this.#count);
    return checkedSize(this.#bytes.subarray(0, this.#sizeBytes), this.#maxBytes);
  }

  /** @returns the index of the first byte that is not a digit */
  #addDigits(step: Uint8Array, from: number): number {
    const digits = this.#digits;
    let [at, count] = [from, this.#count];
    for (; at < step.length; at++) {
      const byte = step[at]!;
      if (KINDS[byte] !== DIGIT) break;
      digits[count++] = byte;
    }
    this.#count = count;
    return at;
  }

  #escaped(byte: number): void {
    const [high, low] = [this.#escape ?? -1, hexValue(byte)];
    if (Number.isNaN(low)) throw this.#notBase64();
    this.#escape = high < 0 ? low : null;
    if (high >= 0) this.#character(16 * high + low);
  }

  #character(byte: number): void {
    const kind = KINDS[byte];
    if (kind === SPACE) return;
    // Padding ends the data: nothing but white space may follow it.
    if (kind === DIGIT && this.#padding === 0) this.#digits[this.#count++] = byte;
    else if (kind !== PADDING || ++this.#padding > 2) throw this.#notBase64();
  }

  #decode(count: number): void {
    if (count === 0) return;
    const text = this.#digits.toString('latin1', 0, count);
    this.#sizeBytes += this.#bytes.write(text, this.#sizeBytes, 'base64');
    this.#digits.copyWithin(0, count, this.#count);
    this.#count -= count;
  }

  #notBase64(): CogVLM2Error {
    return new CogVLM2Error(
      'invalid_value',
      `The data URL's ${this.#length} characters after the comma are not base64 (characters of A-Z a-z 0-9 + / with = at the end).`,
    );
  }
}

/** @throws CogVLM2Error invalid_image (no bytes), image_too_large */
export function checkedSize(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.byteLength === 0) throw new CogVLM2Error('invalid_image', 'The image is empty: 0 bytes.');
  checkSize(bytes.byteLength, maxBytes);
  return bytes;
}

/** @throws CogVLM2Error image_too_large */
export function checkSize(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw new CogVLM2Error(
    'image_too_large',
    `The image has at least ${sizeBytes} bytes; the limit is ${maxBytes} bytes. Make it smaller.`,
  );
}
