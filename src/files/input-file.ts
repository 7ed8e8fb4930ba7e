/** Opens files that a user named: never a pipe or a device. Names need not be UTF-8. */

import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';
import { textOf } from './text.ts';

/** Without O_NONBLOCK, opening a named pipe waits until somebody writes to it. Windows has no such flag. */
export const readFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its symbolic links form a circle',
  EIO: 'the disk reports an error (EIO)',
  ENXIO: 'it is a socket',
};

/** The operating system's error code in words. */
export function readProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (code && reasons[code]) ?? code ?? error.message;
}

/**
 * A descriptor of a regular file. The caller closes it.
 * @throws CogVLM2Error `file_not_found` for a missing or unreadable file, a folder, a pipe, a socket or a device
 */
export function openInputFile(file: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(fsPath(file), readFlags);
  } catch (cause) {
    throw new CogVLM2Error('file_not_found', `${file} cannot be read: ${readProblem(cause)}.`, { cause });
  }
  const stat = fstatSync(descriptor);
  if (stat.isFile()) return descriptor;
  closeSync(descriptor);
  const what = stat.isDirectory() ? 'a folder' : 'a pipe or a device, not a regular file';
  throw new CogVLM2Error('file_not_found', `${file} cannot be read: it is ${what}.`);
}

/**
 * Checks a file that another reader opens later.
 * @throws CogVLM2Error `file_not_found`; `invalid_value` for a Git LFS pointer
 */
export function checkInputFile(file: string): void {
  const descriptor = openInputFile(file);
  try {
    const head = Buffer.alloc(1024);
    const pointer = lfsPointerIn(head.subarray(0, readSync(descriptor, head, 0, head.length, 0)));
    if (pointer !== undefined) throw new CogVLM2Error('invalid_value', `${file} is ${pointer}.`);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The whole text of a file, without a byte order mark.
 * @throws CogVLM2Error `file_not_found`; `invalid_value` for a file that is not UTF-8 or is a Git LFS pointer
 */
export function readTextFile(file: string): string {
  const descriptor = openInputFile(file);
  try {
    const bytes = readFileSync(descriptor);
    const pointer = lfsPointerIn(bytes);
    if (pointer !== undefined) throw new CogVLM2Error('invalid_value', `${file} is ${pointer}.`);
    return textOf(bytes, file).replace(/^\uFEFF/, '');
  } finally {
    closeSync(descriptor);
  }
}

/**
 * A name from the file system as a string. A byte that is not UTF-8 becomes the code unit U+DC00 + byte (PEP 383), as in
 * Python, so that no two names become equal and JSON can hold every name.
 */
export function nameOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\uFFFD') || Buffer.from(text).equals(bytes)) return text;
  let name = '';
  for (let at = 0; at < bytes.length; ) {
    const size = characterSize(bytes, at);
    name += size === 0 ? String.fromCharCode(0xdc00 + bytes[at]!) : bytes.toString('utf8', at, at + size);
    at += size || 1;
  }
  return name;
}

/** What `node:fs` takes for a name that `nameOf` made. */
export function fsPath(name: string): string | Buffer {
  if (!/[\uDC80-\uDCFF]/.test(name)) return name;
  // Whole characters first: a pair of surrogates must not be taken apart.
  const parts = Array.from(name, (character) => {
    const code = character.charCodeAt(0);
    return character.length === 1 && code >= 0xdc80 && code <= 0xdcff
      ? Buffer.of(code - 0xdc00)
      : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

/** Number of bytes of the UTF-8 character at this position; 0 if there is none. */
function characterSize(bytes: Buffer, at: number): number {
  for (let size = 1; size <= 4 && at + size <= bytes.length; size++) {
    const part = bytes.subarray(at, at + size);
    if (Buffer.from(part.toString('utf8')).equals(part)) return size;
  }
  return 0;
}

// Git LFS pointers: a clone without Git LFS has these few lines of text instead of a large file.

const firstLine = 'version https://git-lfs.github.com/spec/';

/**
 * The end of a sentence "FILE is ..." for a Git LFS pointer that begins with these bytes; undefined for other files.
 * The format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
 */
export function lfsPointerIn(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  if (!text.startsWith(firstLine)) return undefined;
  const size = /^size (\d+)\s*$/m.exec(text)?.[1];
  const whole = size === undefined ? 'a file' : `a file of ${Number(size).toLocaleString('en-US')} bytes`;
  return `a Git LFS pointer to ${whole}: run \`git lfs pull\` in its repository`;
}
