import { closeSync, openSync, readSync } from 'node:fs';
import { CogVLM2Error } from '../errors.ts';

/** A run of bytes of a file, and the tensor that it is. */
export interface Located {
  name: string;
  file: string;
  /** From the beginning of the file. */
  offsetBytes: number;
}

/**
 * Fills `into` with the bytes from `startBytes` on.
 * @throws CogVLM2Error `invalid_checkpoint` when the file ends before that.
 */
export function readFileBytes(
  { name, file, offsetBytes }: Located,
  startBytes: number,
  into: Uint8Array,
): void {
  const descriptor = openSync(file, 'r');
  try {
    for (let at = 0; at < into.length; ) {
      const count = readSync(descriptor, into, at, into.length - at, offsetBytes + startBytes + at);
      if (count === 0)
        throw new CogVLM2Error('invalid_checkpoint', `${name} ends before it should in ${file}.`);
      at += count;
    }
  } finally {
    closeSync(descriptor);
  }
}
