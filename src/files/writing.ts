/** Writing to an open file: all bytes, and errors as sentences. */
import { writeSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';

/** Writes all bytes at the position of the descriptor. A single `writeSync` may write only some. @throws the system's error. */
export function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

/**
 * Runs `work`, and turns an error of the system into `write_failed`.
 * @param note continues the sentence, such as "; the lines written so far are kept"
 * @throws CogVLM2Error `write_failed`; errors of `work` that are a CogVLM2Error already.
 */
export function orWriteFailed<T>(file: string, work: () => T, note = ''): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof CogVLM2Error) throw cause;
    throw new CogVLM2Error('write_failed', `${file} cannot be written: ${writeProblem(cause)}${note}.`, {
      cause,
    });
  }
}

/** @throws CogVLM2Error `disposed` if the file is closed. */
export function descriptorOf(file: string, descriptor: number | undefined): number {
  if (descriptor === undefined) throw new CogVLM2Error('disposed', `${file} is already closed.`);
  return descriptor;
}

const problems: Record<string, string> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'no space is left on the disk',
  EFBIG: 'a file may not become so large here (ulimit -f, or the kind of disk)',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOENT: 'there is no such folder',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file',
  ELOOP: 'its symbolic links form a circle',
  ENOLCK: 'the disk has no locks; write to another one',
  ENOTSUP: 'the disk has no locks; write to another one',
};

/** What the system's code means, in words. */
export function writeProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (code && problems[code]) ?? code ?? error.message;
}
