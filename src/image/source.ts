/**
 * Reads the encoded bytes of an image from a path, from bytes, or from a data URL. It does not decode, and it does not access
 * the network: URLs are refused with a message.
 *
 * A server must not pass strings of its clients to `readImageSource`, which opens files. `readDataUrl` (data-url.ts) opens none.
 */

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { fsPath, readFlags, readProblem } from '../files/input-file.ts';
import { shorten } from '../messages.ts';
import { checkedSize, checkSize, readDataUrl } from './data-url.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageFormat, sniffFormat, unreadableImage } from './formats.ts';
import { throwIfAborted } from './thread.ts';

/** A path, a `data:image/...;base64,` URL, the encoded bytes, or an image that was already read. */
export type ImageSource = string | Uint8Array | ImageFile;

export interface ReadOptions {
  /** Largest encoded image, in bytes. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads an image and detects its format. @param name begins the message about bytes in another format
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
 * Reads the encoded bytes of an image without detecting its format.
 * @throws CogVLM2Error invalid_value, file_not_found, invalid_image, image_too_large, aborted
 */
export async function readImageSource(source: ImageSource, options: ReadOptions = {}): Promise<Uint8Array> {
  const maxBytes = options.maxBytes ?? DEFAULT_IMAGE_LIMITS.maxBytes;
  throwIfAborted(options.signal);
  if (source instanceof ImageFile) return source.bytes;
  if (typeof source !== 'string') return checkedSize(source, maxBytes);
  if (/^data:/i.test(source)) return readDataUrl(source, maxBytes);
  if (/^https?:\/\//i.test(source)) {
    throw new CogVLM2Error(
      'invalid_value',
      `Images are not fetched from the network: download ${shorten(source)} and give the path of the file.`,
    );
  }
  return checkedSize(await readFile(source, maxBytes, options.signal), maxBytes);
}

/**
 * Reads a stream such as standard input, up to the size limit.
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
  return checkedSize(Buffer.concat(chunks), maxBytes);
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
    // Devices and pipes have no size to check and may be endless.
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? 'a folder' : 'a pipe or a device';
      throw new CogVLM2Error('file_not_found', `${named} is ${what}, not a regular file.`);
    }
    checkSize(stat.size, maxBytes);
    const bytes = await readAll(file, stat.size, signal);
    const { size, mtimeMs } = await file.stat();
    if (bytes.byteLength !== stat.size || size !== stat.size || mtimeMs !== stat.mtimeMs) {
      throw new CogVLM2Error(
        'invalid_image',
        `${named} was changed while it was read: it had ${stat.size} bytes, and now has ${size}. Try again when its writer has finished.`,
      );
    }
    return bytes;
  } catch (error) {
    if (error instanceof CogVLM2Error) throw error;
    throwIfAborted(signal);
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT' ? `There is no file ${named}.` : `${named} cannot be read: ${readProblem(error)}.`;
    throw new CogVLM2Error('file_not_found', why, { cause: error });
  }
}

/** Maximum size of one read. The signal is checked before each read. */
const READ_STEP_BYTES = 2 ** 22;

/** Reads at most one byte more than the size of the file, because a file that keeps growing never ends. */
async function readAll(
  file: FileHandle,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes + 1);
  let at = 0;
  while (at < bytes.byteLength) {
    throwIfAborted(signal);
    const { bytesRead } = await file.read(bytes, at, Math.min(READ_STEP_BYTES, bytes.byteLength - at), at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** An image file in memory whose format is known. Functions that take an image source do not read it again. */
export class ImageFile {
  /** The encoded bytes. */
  readonly bytes: Uint8Array;
  readonly format: ImageFormat;
  /** Notices for answers about this image, such as text of a PDF page that could not be drawn. One sentence each. */
  readonly warnings: readonly string[];
  #sha256: Promise<string> | undefined;

  constructor(bytes: Uint8Array, format: ImageFormat, warnings: readonly string[] = []) {
    this.bytes = bytes;
    this.format = format;
    this.warnings = warnings;
  }

  /** SHA-256 of the bytes in hexadecimal; computed once, in steps between which the event loop runs. */
  sha256(): Promise<string> {
    this.#sha256 ??= sha256InSteps(this.bytes).then((digest) => digest.toString('hex'));
    return this.#sha256;
  }
}

/** About a millisecond of work. `crypto.subtle` would first copy all bytes. */
const HASH_STEP_BYTES = 2 ** 20;

/** SHA-256 of the parts one after the other, in steps between which the event loop runs. */
export async function sha256InSteps(...parts: readonly Uint8Array[]): Promise<Buffer> {
  const hash = createHash('sha256');
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += HASH_STEP_BYTES) {
      if (at > 0) await setImmediate();
      hash.update(part.subarray(at, at + HASH_STEP_BYTES));
    }
  }
  return hash.digest();
}
