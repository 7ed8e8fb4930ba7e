/** Pages of a PDF as images. */
import { CogVLM2Error } from '../errors.ts';
import {
  DEFAULT_IMAGE_LIMITS,
  isPdf,
  readableFormats,
  sniffFormat,
  unreadableImage,
} from '../image/formats.ts';
import { inSharedMemory } from '../image/preprocess.ts';
import { ImageFile, type ImageSource, readImageSource, readStream } from '../image/source.ts';
import { Thread } from '../image/thread.ts';
import type { PdfReply, PdfRequest } from './pdf-thread.ts';

const pdfThread = new URL('./pdf-thread', import.meta.url);

/**
 * A PDF page has no pixels. Its short side is drawn with the input size of the published models, so no detail that they can
 * see is lost. The long side of a very long page is limited.
 */
const shortSide = 1344;
const longSide = 6 * shortSide;

export interface PdfOptions {
  readonly signal?: AbortSignal | undefined;
  /** Time limit for opening, and for each page. */
  readonly timeoutMs?: number;
  /** Largest number of pages. */
  readonly maxPages?: number;
}

const DEFAULT_PDF_LIMITS = { maxBytes: 256 * 2 ** 20, maxPages: 2_000, timeoutMs: 60_000 };

/** An open document. Its thread ends with `dispose`. */
export class PdfDocument implements Disposable {
  readonly pageCount: number;
  readonly #bytes: Uint8Array;
  readonly #options: PdfOptions;
  #thread: Thread<PdfRequest, PdfReply> | undefined;

  private constructor(
    bytes: Uint8Array,
    pageCount: number,
    thread: Thread<PdfRequest, PdfReply>,
    options: PdfOptions,
  ) {
    this.#bytes = bytes;
    this.pageCount = pageCount;
    this.#thread = thread;
    this.#options = options;
  }

  /** @throws CogVLM2Error invalid_image (broken, encrypted), image_too_large (too many pages), aborted */
  static async open(bytes: Uint8Array, options: PdfOptions = {}): Promise<PdfDocument> {
    const thread = new Thread<PdfRequest, PdfReply>(pdfThread);
    try {
      const shared = await inSharedMemory(bytes);
      const { pageCount } = await thread.ask({ open: shared }, threadOptions(options));
      checkPages(pageCount, options.maxPages ?? DEFAULT_PDF_LIMITS.maxPages);
      return new PdfDocument(shared, pageCount, thread, options);
    } catch (error) {
      thread.end();
      throw error;
    }
  }

  /**
   * If a page fails, the other pages can still be drawn.
   * @param page from 1
   * @returns the page as a PNG; its warnings name the fonts whose text could not be drawn
   * @throws CogVLM2Error invalid_value (no such page), invalid_image, image_too_large, aborted
   */
  async renderPage(page: number): Promise<ImageFile> {
    if (!Number.isInteger(page) || page < 1 || page > this.pageCount) {
      const has = this.pageCount === 1 ? 'one page' : `pages 1 to ${this.pageCount}`;
      throw new CogVLM2Error('invalid_value', `There is no page ${page}: the PDF has ${has}.`);
    }
    const options = threadOptions(this.#options);
    try {
      if (this.#thread === undefined) {
        this.#thread = new Thread(pdfThread);
        await this.#thread.ask({ open: this.#bytes }, options);
      }
      const { maxAspectRatio } = DEFAULT_IMAGE_LIMITS;
      const request = { page, shortSide, longSide, maxAspectRatio };
      const { png, missingFonts } = await this.#thread.ask(request, options);
      if (png === null)
        throw new CogVLM2Error('invalid_image', `Page ${page} of the PDF could not be drawn.`);
      return new ImageFile(png, 'png', missingFonts.length === 0 ? [] : [missingText(page, missingFonts)]);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#thread?.end();
    this.#thread = undefined;
  }
}

function threadOptions({ signal, timeoutMs = DEFAULT_PDF_LIMITS.timeoutMs }: PdfOptions) {
  return { signal, timeoutMs, subject: 'The PDF' };
}

function missingText(page: number, fonts: readonly string[]): string {
  return (
    `Some text on page ${page} of the PDF could not be drawn, because it does not contain these fonts and this machine ` +
    `has none with their characters: ${fonts.join(', ')}. Install fonts for the language, or embed them in the PDF.`
  );
}

function checkPages(pageCount: number, maxPages: number): void {
  if (pageCount < 1) {
    throw new CogVLM2Error('invalid_image', 'The PDF is damaged or not supported: it has no pages.');
  }
  if (pageCount <= maxPages) return;
  throw new CogVLM2Error(
    'image_too_large',
    `The PDF has ${pageCount} pages; the limit is ${maxPages}. Split it.`,
  );
}

// The image of a question: an image file, or one page of a PDF.

export interface Page {
  readonly image: ImageFile;
  /** Page number of a PDF, from 1, and number of pages. */
  readonly page: number | null;
  readonly pageCount: number | null;
}

/**
 * @param name the source's name in messages
 * @param page from 1. Default: the first page
 * @throws CogVLM2Error file_not_found, invalid_image, image_too_large, invalid_value (no such page), aborted
 */
export async function readPage(
  source: ImageSource | AsyncIterable<Uint8Array>,
  name: string,
  page: number | undefined,
  signal: AbortSignal,
): Promise<Page> {
  const file = await readImageOrPdf(source, name, signal);
  if (file instanceof ImageFile) {
    if (page !== undefined) {
      throw new CogVLM2Error('invalid_value', `${name} is an image, not a PDF, so it has no page ${page}.`);
    }
    return { image: file, page: null, pageCount: null };
  }
  using pdf = await PdfDocument.open(file.pdf, { signal });
  return { image: await pdf.renderPage(page ?? 1), page: page ?? 1, pageCount: pdf.pageCount };
}

/** @returns an image, or the bytes of a PDF. Other formats are refused with their name. */
export async function readImageOrPdf(
  source: ImageSource | AsyncIterable<Uint8Array>,
  name: string,
  signal: AbortSignal,
): Promise<ImageFile | { pdf: Uint8Array }> {
  if (source instanceof ImageFile) return source;
  const limits = { maxBytes: DEFAULT_PDF_LIMITS.maxBytes, signal };
  const isBytesOrName = typeof source === 'string' || source instanceof Uint8Array;
  const bytes = await (isBytesOrName ? readImageSource(source, limits) : readStream(source, limits));
  if (isPdf(bytes)) return { pdf: bytes };
  const format = sniffFormat(bytes);
  if (format === null) throw unreadableImage(bytes, name, `${readableFormats} images and PDF files`);
  return new ImageFile(await readImageSource(bytes, { maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes }), format);
}
