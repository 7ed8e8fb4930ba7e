/**
 * The PICTURE argument: a path or a data URL, and for `ask` also `-` for standard input, and a page of a PDF. Read before
 * the model is loaded.
 */
import { CogVLM2Error } from '../errors.ts';
import type { ImageFile } from '../image/image-file.ts';
import type { Context } from './command.ts';

export interface Picture {
  /** How messages and JSON call it. */
  label: string;
  image: ImageFile;
}

export interface AskedPicture extends Picture {
  /** Of a PDF, from 1. */
  page: number | null;
}

export async function readPicture(argument: string, context: Context, signal: AbortSignal): Promise<Picture> {
  return { label: pictureLabel(argument), image: await context.library.readPicture(argument, signal) };
}

export interface PageOptions {
  page?: number | undefined;
  quiet: boolean;
}

/** Says so when a PDF has more pages than the one that is shown. */
export async function readAskedPicture(
  argument: string,
  { page: wanted, quiet }: PageOptions,
  { library, terminal }: Context,
  signal: AbortSignal,
): Promise<AskedPicture> {
  if (argument === '-' && terminal.stdin.isTTY === true) {
    throw new CogVLM2Error(
      'invalid_value',
      'The picture - is standard input, which is this terminal: pipe a picture into it, as in `cogvlm2 ask - "…" < picture.png`.',
    );
  }
  const source = argument === '-' ? terminal.stdin : argument;
  const { image, page, pageCount } = await library.readPage(source, wanted, signal);
  if (!quiet && wanted === undefined && pageCount !== null && pageCount > 1) {
    terminal.stderr.write(
      `cogvlm2: this is page 1 of ${pageCount}; --page N shows another, and \`cogvlm2 batch\` asks them all.\n`,
    );
  }
  return { label: pictureLabel(argument), image, page };
}

/** A path as it is; of a data URL only its start. */
export function pictureLabel(argument: string): string {
  return /^data:/i.test(argument) && argument.length > 60 ? `${argument.slice(0, 57)}...` : argument;
}
