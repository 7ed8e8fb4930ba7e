/** The PICTURE argument: a path, `-` for standard input, or a data URL. Read before the model is loaded. */
import { CogVLM2Error } from '../errors.ts';
import type { Context } from './command.ts';

export interface Picture {
  /** How messages and JSON call it. */
  label: string;
  bytes: Uint8Array;
}

export async function readPicture(argument: string, context: Context, signal: AbortSignal): Promise<Picture> {
  const { library, terminal } = context;
  if (argument !== '-') {
    return { label: pictureLabel(argument), bytes: await library.readPicture(argument, signal) };
  }
  if (terminal.stdin.isTTY === true) {
    throw new CogVLM2Error(
      'invalid_value',
      'The picture - is standard input, which is this terminal: pipe a picture into it, as in `cogvlm2 ask - "…" < picture.png`.',
    );
  }
  return { label: '-', bytes: await library.readPictureStream(terminal.stdin, signal) };
}

/** A path as it is; of a data URL only its start. */
export function pictureLabel(argument: string): string {
  return /^data:/i.test(argument) && argument.length > 60 ? `${argument.slice(0, 57)}...` : argument;
}
