/** The sources one after the other as what the model looks at, without what is done already. */

import { CogVLM2Error } from '../errors.ts';
import { readPictureOrPdf } from '../image/page.ts';
import { PdfDocument } from '../image/pdf.ts';
import { isPdf } from '../image/sniff.ts';
import { isItemError } from '../run/item-errors.ts';
import type { Item } from './line.ts';
import type { BrokenSource, Source } from './source.ts';
import type { Picture } from './viewer.ts';

/** A picture or a page, with the questions that have no line yet. */
export interface Look {
  readonly items: readonly Item[];
  /** The picture's encoded bytes; where they are not wanted, the file that holds it; or what is wrong with it. */
  readonly picture: Picture | CogVLM2Error;
}

export interface LookOptions {
  /** Whether an item has a line, and how many pages an earlier line says that an input has. */
  readonly done: { has(item: Item): boolean; pageCountOf(input: string): number | undefined };
  /** Which pages of every PDF. */
  wantsPage(page: number): boolean;
  /** False where a file's path is enough. */
  readonly wantsBytes: boolean;
  readonly signal: AbortSignal;
  /** Once a source: how many questions it has, and how many of them have no line yet. */
  onSource(questions: number, waiting: number): void;
}

export async function* looksOf(
  sources: readonly (Source | BrokenSource)[],
  options: LookOptions,
): AsyncGenerator<Look> {
  for (const source of sources) {
    try {
      if ('problem' in source) throw new CogVLM2Error('invalid_value', `${source.input}: ${source.problem}.`);
      yield* looksOfSource(source, options);
    } catch (error) {
      if (!isItemError(error)) throw error;
      const whole: Item = { id: source.id, input: source.input, page: null, pageCount: null, question: null };
      const isWaiting = !options.done.has(whole);
      options.onSource(1, isWaiting ? 1 : 0);
      if (isWaiting) yield { items: [whole], picture: error };
    }
  }
}

async function* looksOfSource(source: Source, options: LookOptions): AsyncGenerator<Look> {
  const { done, signal } = options;
  const known = done.pageCountOf(source.input);
  if (known !== undefined) {
    const pages = pagesOf(source, known, options);
    if (pages.every((page) => todo(source, page, known, done).length === 0)) {
      options.onSource(pages.length * source.questions.length, 0);
      return;
    }
  }
  const items = todo(source, null, null, done);
  if (known === undefined && items.length === 0) {
    options.onSource(source.questions.length, 0);
    return;
  }
  const place = 'path' in source.location ? source.location.path : await source.location.dataUrl();
  const bytes = await readPictureOrPdf(place, JSON.stringify(source.input), signal);
  const path = !options.wantsBytes && 'path' in source.location ? source.location.path : undefined;
  if (!isPdf(bytes)) {
    if (source.page !== null) throw noPage(source);
    options.onSource(source.questions.length, items.length);
    yield { items, picture: path === undefined ? bytes : { path, page: null } };
    return;
  }
  using pdf = await PdfDocument.open(bytes, { signal });
  const pages = pagesOf(source, pdf.pageCount, options);
  const waiting = pages.map((page) => ({ page, items: todo(source, page, pdf.pageCount, done) }));
  options.onSource(
    pages.length * source.questions.length,
    waiting.reduce((sum, { items }) => sum + items.length, 0),
  );
  for (const { page, items } of waiting) {
    if (items.length === 0) continue;
    yield { items, picture: path === undefined ? await rendered(pdf, page) : { path, page } };
  }
}

/** A page that cannot be read is no reason to give the others up. */
async function rendered(pdf: PdfDocument, page: number): Promise<Uint8Array | CogVLM2Error> {
  try {
    return await pdf.renderPage(page);
  } catch (error) {
    if (isItemError(error)) return error;
    throw error;
  }
}

function todo(
  { id, input, questions }: Source,
  page: number | null,
  pageCount: number | null,
  done: LookOptions['done'],
): Item[] {
  return questions
    .map((question) => ({ id, input, page, pageCount, question }))
    .filter((item) => !done.has(item));
}

/** The page that the row names, or those of the document that are wanted. */
function pagesOf({ page }: Source, pageCount: number, { wantsPage }: LookOptions): number[] {
  if (page !== null) return [page];
  return Array.from({ length: pageCount }, (_, i) => i + 1).filter(wantsPage);
}

function noPage({ input, page }: Source): CogVLM2Error {
  return new CogVLM2Error('invalid_value', `${input} is a picture, not a PDF, so it has no page ${page}.`);
}
