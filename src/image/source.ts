/**
 * From whatever a person names as an image to its encoded bytes: a file's path, bytes, or a data URL. Nothing is
 * decoded here and nothing is fetched: addresses on the network are refused with a sentence.
 *
 * A server must not pass strings of its clients to `readImageSource`, which opens files: `readDataUrl` opens none.
 */

import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { fsPath, readFlags, readProblem } from '../files/input-file.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageFormat, sniffFormat, unreadableImage } from './formats.ts';
import { throwIfAborted } from './thread.ts';

/** A path, a `data:image/...;base64,` URL, the encoded bytes themselves, or an image that was read before. */
export type ImageSource = string | Uint8Array | ImageFile;

export interface ReadOptions {
  /** Largest encoded image, in bytes. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** RFC 2397: a media type, parameters, and that the rest is base64. The bytes say what the image is, not the type. */
const DATA_URL = /^data:[^,]{0,1000}?;\s*base64\s*,/i;
/** Of both alphabets of RFC 4648. */
const BASE64 = /^[A-Za-z0-9+/_-]*$/;

/**
 * An image, read and recognized once. @param name begins the message about bytes that are no image
 * @throws CogVLM2Error invalid_value, file_not_found, invalid_image, image_too_large, aborted
 */
export async function readImage(
  source: ImageSource,
  options: ReadOptions = {},
  name = 'The image',
): Promise<ImageFile> {
  if (source instanceof ImageFile) return source;
  return imageFile(await readImageSource(source, options), name);
}

/** @throws CogVLM2Error invalid_image */
export function imageFile(bytes: Uint8Array, name: string, warnings: readonly string[] = []): ImageFile {
  const format = sniffFormat(bytes);
  if (format === null) throw unreadableImage(bytes, name);
  return new ImageFile(bytes, format, warnings);
}

/**
 * The encoded bytes of an image, whatever they are.
 * @throws CogVLM2Error invalid_value, file_not_found, invalid_image, image_too_large, aborted
 */
export async function readImageSource(source: ImageSource, options: ReadOptions = {}): Promise<Uint8Array> {
  const maxBytes = options.maxBytes ?? DEFAULT_IMAGE_LIMITS.maxBytes;
  throwIfAborted(options.signal);
  if (source instanceof ImageFile) return source.bytes;
  if (typeof source !== 'string') return checked(source, maxBytes);
  if (/^data:/i.test(source)) return readDataUrl(source, maxBytes);
  if (/^https?:\/\//i.test(source)) {
    throw new CogVLM2Error(
      'invalid_value',
      `Images are not fetched from the network: download ${shorten(source)} and give the path of the file.`,
    );
  }
  return checked(await readFile(source, maxBytes, options.signal), maxBytes);
}

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

/** `readDataUrl` in steps of a few milliseconds, between which the event loop goes on. @throws CogVLM2Error the same */
export async function readDataUrlInSteps(url: string, maxBytes: number): Promise<Uint8Array> {
  const steps = decodeDataUrl(url, maxBytes);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await setImmediate();
  }
}

/** Characters that are decoded in one step. */
const STEP_CHARACTERS = 2 ** 19;

function* decodeDataUrl(url: string, maxBytes: number): Generator<void, Uint8Array> {
  const head = DATA_URL.exec(url)?.[0];
  if (head === undefined) {
    throw new CogVLM2Error(
      'invalid_value',
      `An image's data URL starts with data:image/png;base64, (or another image type); this one starts with ${shorten(url)}.`,
    );
  }
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  /** The beginning of an escape that the step before cut, and characters that are not whole groups of four yet. */
  let cutEscape = '';
  let carry = '';
  let isPadded = false;
  for (let at = head.length; at < url.length; at += STEP_CHARACTERS) {
    const isLast = at + STEP_CHARACTERS >= url.length;
    let text = cutEscape + url.slice(at, at + STEP_CHARACTERS);
    cutEscape = isLast ? '' : (/%[0-9a-f]?$/i.exec(text)?.[0] ?? '');
    text = carry + plainBase64(cutEscape === '' ? text : text.slice(0, -cutEscape.length));
    // Padding ends the data: nothing but white space may follow it.
    if (isPadded && text !== '') throw notBase64(url.length - head.length);
    isPadded ||= text.includes('=');
    const end = isLast || isPadded ? text.length : text.length - (text.length % 4);
    carry = text.slice(end);
    const bytes = decodeBase64(text.slice(0, end), url.length - head.length);
    sizeBytes += bytes.byteLength;
    checkSize(sizeBytes, maxBytes);
    parts.push(bytes);
    if (!isLast) yield;
  }
  return checked(parts.length === 1 ? parts[0]! : Buffer.concat(parts), maxBytes);
}

/** Without percent-encoding and white space. */
function plainBase64(text: string): string {
  const decoded = text.includes('%')
    ? text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;
  return /\s/.test(decoded) ? decoded.replaceAll(/\s+/g, '') : decoded;
}

function decodeBase64(text: string, length: number): Uint8Array {
  const digits = text.replace(/={1,2}$/, '');
  if (digits.length % 4 === 1 || !BASE64.test(digits)) throw notBase64(length);
  return Buffer.from(digits, 'base64');
}

function notBase64(length: number): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `The data URL's ${length} characters after the comma are not base64 (characters of A-Z a-z 0-9 + / with = at the end).`,
  );
}

/**
 * All bytes of a stream such as standard input, stopping as soon as it passes the limit.
 * @throws CogVLM2Error invalid_image (no bytes), image_too_large, aborted
 */
export async function readStream(
  stream: AsyncIterable<Uint8Array>,
  options: ReadOptions = {},
): Promise<Uint8Array> {
  const maxBytes = options.maxBytes ?? DEFAULT_IMAGE_LIMITS.maxBytes;
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    throwIfAborted(options.signal);
    sizeBytes += chunk.byteLength;
    checkSize(sizeBytes, maxBytes);
    chunks.push(chunk);
  }
  return checked(Buffer.concat(chunks), maxBytes);
}

async function readFile(
  path: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const named = shorten(path);
  try {
    await using file = await open(fsPath(path), readFlags);
    const stat = await file.stat();
    // Devices and pipes have no size to check and may never end.
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? 'a folder' : 'a pipe or a device';
      throw new CogVLM2Error('file_not_found', `${named} is ${what}, not a regular file.`);
    }
    checkSize(stat.size, maxBytes);
    return await file.readFile({ signal });
  } catch (error) {
    if (error instanceof CogVLM2Error) throw error;
    throwIfAborted(signal);
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT' ? `There is no file ${named}.` : `${named} cannot be read: ${readProblem(error)}.`;
    throw new CogVLM2Error('file_not_found', why, { cause: error });
  }
}

function checked(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.byteLength === 0) throw new CogVLM2Error('invalid_image', 'The image is empty: 0 bytes.');
  checkSize(bytes.byteLength, maxBytes);
  return bytes;
}

function checkSize(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw new CogVLM2Error(
    'image_too_large',
    `The image has at least ${sizeBytes} bytes; the limit is ${maxBytes} bytes. Make it smaller.`,
  );
}

/** User's text in a message: quoted, and never megabytes of it. */
function shorten(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 117)}...` : text);
}

/** An image file in memory that was read and recognized. What takes an image source also takes this, without reading again. */
export class ImageFile {
  /** As encoded. */
  readonly bytes: Uint8Array;
  readonly format: ImageFormat;
  /** What answers about it should say, such as text of a PDF page that could not be drawn. One sentence each. */
  readonly warnings: readonly string[];
  #sha256: Promise<string> | undefined;

  constructor(bytes: Uint8Array, format: ImageFormat, warnings: readonly string[] = []) {
    this.bytes = bytes;
    this.format = format;
    this.warnings = warnings;
  }

  /** Of the bytes, in hexadecimal; computed once, off the event loop. */
  sha256(): Promise<string> {
    this.#sha256 ??= crypto.subtle
      .digest('SHA-256', this.bytes as Uint8Array<ArrayBuffer>)
      .then((digest) => Buffer.from(digest).toString('hex'));
    return this.#sha256;
  }
}
