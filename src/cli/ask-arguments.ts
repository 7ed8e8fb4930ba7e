/** The arguments of `ask`: finds the image and the questions, and corrects common mistakes. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { fsPath } from '../files/input-file.ts';
import type { ImageFile } from '../image/source.ts';
import type { Context } from './command.ts';
import { imageLabel } from './format.ts';

export interface AskArguments {
  /** Null with `--text`. */
  readonly image: string | null;
  readonly questions: readonly string[];
  /** Notices about arguments that were interpreted differently from how they were written. */
  readonly notices: readonly string[];
}

/** Opening and closing typographic quotes in English, German, French, Chinese and Japanese. */
const quotes: Readonly<Record<string, string>> = {
  '“': '”',
  '‘': '’',
  '„': '“”',
  '«': '»',
  '「': '」',
  '『': '』',
};

/** @throws CogVLM2Error invalid_value, with the command to use instead */
export function readAskArguments(args: readonly string[], textOnly: boolean): AskArguments {
  const joined = joinQuoted(args);
  const notices = [...joined.notices];
  const files = joined.args.filter(isImage);
  if (textOnly) {
    if (files[0] !== undefined) {
      throw invalid(`${shown(files[0])} is a file, not a question: leave out --text to ask about it.`);
    }
    return { image: null, questions: checkQuestions(joined.args, '--text'), notices };
  }
  const [first, ...others] = joined.args;
  if (first === undefined) {
    throw invalid('An image and a question are needed, as in `cogvlm2 ask image.png "What is this?"`.');
  }
  if (files.length > 1) {
    const question = joined.args.find((argument) => !isImage(argument)) ?? 'What is this?';
    const command = `cogvlm2 batch ${files.map(shown).join(' ')} --question ${JSON.stringify(question)} -o -`;
    throw invalid(
      `The model sees one image at a time, but ${files.map(shown).join(' and ')} are images. To ask about each: \`${command}\`.`,
    );
  }
  const [file] = files;
  if (file === undefined || first === file || first === '-') {
    if (file !== undefined && first === '-') throw invalid(`Both - and ${shown(file)} are images: give one.`);
    return {
      image: first,
      questions: checkQuestions(others, 'image.png'),
      notices: [...notices, ...wordNotice(others)],
    };
  }
  notices.push(`${shown(file)} is the image; it usually comes first.`);
  const questions = joined.args.filter((argument) => argument !== file);
  return { image: file, questions: checkQuestions(questions, 'image.png'), notices };
}

/** An existing file or a data URL. Folders are excluded: `test` is a question even if a folder has that name. */
function isImage(argument: string): boolean {
  if (/^data:image\//i.test(argument)) return true;
  try {
    const stat = statSync(fsPath(argument), { throwIfNoEntry: false });
    return stat !== undefined && !stat.isDirectory();
  } catch {
    return false; // Too long for a name, or a part of it is a file.
  }
}

function checkQuestions(questions: readonly string[], example: string): readonly string[] {
  if (questions.length === 0) {
    throw invalid(`A question is needed, as in \`cogvlm2 ask ${example} "What is this?"\`.`);
  }
  if (questions.some((question) => question.trim() === '')) throw invalid('The question is empty.');
  return questions;
}

/** A shell joins words in straight quotes only: `“What`, `is`, `this?”` arrive as three arguments. */
function joinQuoted(args: readonly string[]): { args: readonly string[]; notices: readonly string[] } {
  const result: string[] = [];
  const notices: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at]!;
    const closing = quotes[argument[0] ?? ''];
    const end =
      closing === undefined || closes(argument, closing)
        ? -1
        : args.findIndex((other, i) => i > at && closes(other, closing));
    if (end < 0) {
      result.push(argument);
      continue;
    }
    const question = args
      .slice(at, end + 1)
      .join(' ')
      .slice(1, -1);
    notices.push(
      `typographic quotes do not join words in a shell; this was read as one question: ${JSON.stringify(question)}.`,
    );
    result.push(question);
    at = end;
  }
  return { args: result, notices };
}

function closes(argument: string, closing: string): boolean {
  return argument.length > 1 && closing.includes(argument.at(-1)!);
}

/** `ask image.png What is this?` asks three questions. */
function wordNotice(questions: readonly string[]): string[] {
  const areWords =
    questions.length > 2 && questions.every((word) => /^[\p{Script=Latin}\d'’?!.,-]+$/u.test(word));
  return areWords
    ? [`these are ${questions.length} questions of one word each; quotes make them one question.`]
    : [];
}

function shown(argument: string): string {
  return /\s/.test(argument)
    ? JSON.stringify(argument)
    : argument.length > 60
      ? `${argument.slice(0, 57)}...`
      : argument;
}

function invalid(message: string): CogVLM2Error {
  return new CogVLM2Error('invalid_value', message);
}

// The IMAGE argument: a path or a data URL; for `ask` also `-` for standard input, and a page of a PDF.

export interface NamedImage {
  /** Its name in messages and JSON. */
  label: string;
  /** The path of a video or of a folder of frames is a string. */
  image: ImageFile | string;
}

export interface AskedImage extends NamedImage {
  /** Page number of a PDF, from 1. */
  page: number | null;
}

export async function readNamedImage(
  argument: string,
  context: Context,
  signal: AbortSignal,
): Promise<NamedImage> {
  const { library } = context;
  const isVideo = (await library.videoKind(argument)) !== undefined;
  const image = isVideo ? resolve(argument) : await library.readNamedImage(argument, signal);
  return { label: imageLabel(argument), image };
}

export interface PageOptions {
  page?: number | undefined;
  quiet: boolean;
}

/** Prints a notice if a PDF has several pages and none was selected. */
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
  if (argument !== '-' && wanted === undefined && (await library.videoKind(argument)) !== undefined)
    return { label: imageLabel(argument), image: argument, page: null };
  const source = argument === '-' ? terminal.stdin : argument;
  const { image, page, pageCount } = await library.readPage(source, wanted, signal);
  if (!quiet && wanted === undefined && pageCount !== null && pageCount > 1) {
    terminal.stderr.write(
      `cogvlm2: this is page 1 of ${pageCount}; --page N selects another, and \`cogvlm2 batch\` asks about all.\n`,
    );
  }
  return { label: imageLabel(argument), image, page };
}
