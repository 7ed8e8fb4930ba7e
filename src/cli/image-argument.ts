/** The IMAGE argument: a path or a data URL; for `ask` also `-` for standard input, and a page of a PDF. */
import { CogVLM2Error } from '../errors.ts';
import type { ImageFile } from '../image/image-file.ts';
import type { Context } from './command.ts';
import { imageLabel } from './format.ts';

export interface NamedImage {
  /** Its name in messages and JSON. */
  label: string;
  image: ImageFile;
}

export interface AskedImage extends NamedImage {
  /** Of a PDF, from 1. */
  page: number | null;
}

export async function readPicture(
  argument: string,
  context: Context,
  signal: AbortSignal,
): Promise<NamedImage> {
  return { label: imageLabel(argument), image: await context.library.readPicture(argument, signal) };
}

export interface PageOptions {
  page?: number | undefined;
  quiet: boolean;
}

/** Prints a notice if a PDF has more than one page and none was chosen. */
export async function readAskedImage(
  argument: string,
  { page: wanted, quiet }: PageOptions,
  { library, terminal }: Context,
  signal: AbortSignal,
): Promise<AskedImage> {
  if (argument === '-' && terminal.stdin.isTTY === true) {
    throw new CogVLM2Error(
      'invalid_value',
      'The image - is standard input, which is this terminal: redirect a file, as in `cogvlm2 ask - "…" < image.png`.',
    );
  }
  const source = argument === '-' ? terminal.stdin : argument;
  const { image, page, pageCount } = await library.readPage(source, wanted, signal);
  if (!quiet && wanted === undefined && pageCount !== null && pageCount > 1) {
    terminal.stderr.write(
      `cogvlm2: this is page 1 of ${pageCount}; --page N selects another, and \`cogvlm2 batch\` asks about all.\n`,
    );
  }
  return { label: imageLabel(argument), image, page };
}
