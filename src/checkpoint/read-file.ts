import { closeSync, openSync, readSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';
import { lfsPointerIn, openInputFile, readTextFile } from '../files/input-file.ts';

/** The position of a tensor's bytes in a file. */
export interface Located {
  name: string;
  file: string;
  /** From the beginning of the file. */
  offsetBytes: number;
}

/**
 * Fills `into` with the bytes from `startBytes`.
 * @throws CogVLM2Error `invalid_checkpoint` if the file ends before that, `file_not_found` if it cannot be read.
 */
export function readFileBytes(
  { name, file, offsetBytes }: Located,
  startBytes: number,
  into: Uint8Array,
): void {
  const descriptor = reading(file, () => openSync(file, 'r'));
  try {
    for (let at = 0; at < into.length; ) {
      const place = offsetBytes + startBytes + at;
      const count = reading(file, () => readSync(descriptor, into, at, into.length - at, place));
      if (count === 0) throw new CogVLM2Error('invalid_checkpoint', `${name} is truncated in ${file}.`);
      at += count;
    }
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Opens a weight file. The caller closes the descriptor.
 * @throws CogVLM2Error `file_not_found`; `invalid_checkpoint` for a Git LFS pointer
 */
export function openWeights(file: string): number {
  const descriptor = openInputFile(file);
  const head = Buffer.alloc(1024);
  const pointer = lfsPointerIn(head.subarray(0, readSync(descriptor, head, 0, head.length, 0)));
  if (pointer === undefined) return descriptor;
  closeSync(descriptor);
  throw new CogVLM2Error(
    'invalid_checkpoint',
    `${file} is ${pointer}, or fetch the model with \`cogvlm2 pull\`.`,
  );
}

/** A text of a checkpoint, such as config.json. @throws CogVLM2Error `file_not_found`, `invalid_checkpoint` */
export function readCheckpointText(file: string): string {
  try {
    return readTextFile(file);
  } catch (error) {
    if (!(error instanceof CogVLM2Error) || error.code !== 'invalid_value') throw error;
    throw new CogVLM2Error('invalid_checkpoint', error.message, { cause: error });
  }
}

/** Turns a system error about `file` into a readable one. @throws CogVLM2Error `file_not_found` */
export function reading<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CogVLM2Error('file_not_found', `${file} cannot be read: ${problems[code] ?? code}.`, { cause });
  }
}

const problems: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EIO: 'the disk fails (EIO)',
};
