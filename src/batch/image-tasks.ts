/** Turns the sources of a batch into images with the questions that have no line in the output yet. */
import { CogVLM2Error } from '../errors.ts';
import { readDataUrlInSteps } from '../image/data-url.ts';
import { isVideo } from '../image/formats.ts';
import { ImageFile } from '../image/source.ts';
import { PdfDocument, readImageOrPdf } from '../pdf/pdf.ts';
import { isItemError } from '../run/items.ts';
import { kindOf, mostVideoBytes } from '../video/video.ts';
import type { ImageInput } from './backend.ts';
import type { Item } from './output.ts';
import type { BrokenSource, Source } from './sources.ts';

/** An image, a page or a video, and its questions that have no line in the output. */
export interface ImageTask {
  readonly items: readonly Item[];
  /** The input for the backend, or the error why there is no image. */
  readonly image: ImageInput | CogVLM2Error;
}

export interface TaskOptions {
  /** Looks up in the output whether an item has a line, and how many pages an input has. */
  readonly done: { has(item: Item): boolean; pageCountOf(input: string): number | undefined };
  /** Selects the pages of each PDF. */
  wantsPage(page: number): boolean;
  /** False if the backend reads the files itself. */
  readonly wantsBytes: boolean;
  readonly signal: AbortSignal;
  /** Called once for each source, with the number of its questions and the number of those that have no line. */
  onSource(questions: number, waiting: number): void;
}

export async function* imageTasks(
  sources: readonly (Source | BrokenSource)[],
  options: TaskOptions,
): AsyncGenerator<ImageTask> {
  for (const source of sources) {
    try {
      if ('problem' in source) throw new CogVLM2Error('invalid_value', `${source.input}: ${source.problem}.`);
      yield* tasksOf(source, options);
    } catch (error) {
      if (!isItemError(error)) throw error;
      const { idJson, input } = source;
      const whole: Item = { idJson, input, page: null, pageCount: null, question: null };
      const isWaiting = !options.done.has(whole);
      options.onSource(1, isWaiting ? 1 : 0);
      if (isWaiting) yield { items: [whole], image: error };
    }
  }
}

async function* tasksOf(source: Source, options: TaskOptions): AsyncGenerator<ImageTask> {
  const { done, signal } = options;
  const known = done.pageCountOf(source.input);
  if (known !== undefined) {
    const pages = pagesOf(source, known, options);
    if (pages.every((page) => waitingItems(source, page, known, done).length === 0)) {
      options.onSource(pages.length * source.questions.length, 0);
      return;
    }
  }
  const items = waitingItems(source, null, null, done);
  if (known === undefined && items.length === 0) {
    options.onSource(source.questions.length, 0);
    return;
  }
  const path = !options.wantsBytes && 'path' in source.location ? source.location.path : undefined;
  const location =
    'path' in source.location
      ? source.location.path
      : await readDataUrlInSteps(await source.location.dataUrl(), mostVideoBytes);
  if (typeof location === 'string' ? (await kindOf(location)) !== undefined : isVideo(location)) {
    if (source.page !== null) throw noPage(source, 'a video');
    options.onSource(source.questions.length, items.length);
    yield { items, image: path === undefined ? { video: location } : { path, page: null } };
    return;
  }
  const file = await readImageOrPdf(location, JSON.stringify(source.input), signal);
  if (file instanceof ImageFile) {
    if (source.page !== null) throw noPage(source, 'an image');
    options.onSource(source.questions.length, items.length);
    yield { items, image: path === undefined ? file : { path, page: null } };
    return;
  }
  using pdf = await PdfDocument.open(file.pdf, { signal });
  const pages = pagesOf(source, pdf.pageCount, options);
  const waiting = pages.map((page) => ({ page, items: waitingItems(source, page, pdf.pageCount, done) }));
  options.onSource(
    pages.length * source.questions.length,
    waiting.reduce((sum, { items }) => sum + items.length, 0),
  );
  for (const { page, items } of waiting) {
    if (items.length === 0) continue;
    yield { items, image: path === undefined ? await rendered(pdf, page) : { path, page } };
  }
}

/** If one page cannot be rendered, the other pages continue. */
async function rendered(pdf: PdfDocument, page: number): Promise<ImageFile | CogVLM2Error> {
  try {
    return await pdf.renderPage(page);
  } catch (error) {
    if (isItemError(error)) return error;
    throw error;
  }
}

function waitingItems(
  { idJson, input, questions }: Source,
  page: number | null,
  pageCount: number | null,
  done: TaskOptions['done'],
): Item[] {
  return questions
    .map((question) => ({ idJson, input, page, pageCount, question }))
    .filter((item) => !done.has(item));
}

/** The page of the row, or all selected pages of the document. */
function pagesOf({ page }: Source, pageCount: number, { wantsPage }: TaskOptions): number[] {
  if (page !== null) return [page];
  return Array.from({ length: pageCount }, (_, i) => i + 1).filter(wantsPage);
}

function noPage({ input, page }: Source, what: string): CogVLM2Error {
  return new CogVLM2Error('invalid_value', `${input} is ${what}, not a PDF, so it has no page ${page}.`);
}

/**
 * Reads `--pages 1,3-5,8-`.
 * @throws CogVLM2Error invalid_value
 */
export function parsePages(text: string): (page: number) => boolean {
  const ranges = text.split(',').map((part) => {
    const [, first = '', dash, last = ''] = /^\s*(\d+)(-?)(\d*)\s*$/.exec(part) ?? [];
    const range = {
      first: Number(first),
      last: last === '' && dash === '-' ? Infinity : Number(last || first),
    };
    if (first === '' || range.first < 1 || range.last < range.first || (dash === '' && last !== '')) {
      throw new CogVLM2Error(
        'invalid_value',
        `--pages is ${JSON.stringify(text)}, but must be numbers and ranges from 1, such as 1,3-5 or 2-.`,
      );
    }
    return range;
  });
  return (page) => ranges.some(({ first, last }) => page >= first && page <= last);
}
