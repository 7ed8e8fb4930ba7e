/** Pages of a PDF as pictures. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CogVLM2Error } from '../errors.ts';
import { encodePng } from './encode.ts';
import type { PdfReply, PdfRequest } from './pdf-worker.js';
import { throwIfAborted } from './source.ts';

/**
 * A page has no pixels of its own. Its short side gets as many as the published models read, so that nothing that
 * they could see is lost, and a very long page is bounded.
 */
const shortSidePixels = 1344;
const longSidePixels = 6 * shortSidePixels;

export interface PdfOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long opening, or one page, may take. */
  readonly timeoutMs?: number;
  /** Most pages that a document may have. */
  readonly maxPages?: number;
}

export const DEFAULT_PDF_LIMITS = { maxBytes: 256 * 2 ** 20, maxPages: 2_000, timeoutMs: 60_000 };

/** An open document. Its thread goes with `dispose`. */
export class PdfDocument implements Disposable {
  readonly pageCount: number;
  readonly #bytes: Uint8Array;
  readonly #options: PdfOptions;
  #reader: Reader | undefined;

  private constructor(bytes: Uint8Array, pageCount: number, reader: Reader, options: PdfOptions) {
    this.#bytes = bytes;
    this.pageCount = pageCount;
    this.#reader = reader;
    this.#options = options;
  }

  /** @throws CogVLM2Error invalid_image (broken, encrypted), image_too_large (too many pages), aborted */
  static async open(bytes: Uint8Array, options: PdfOptions = {}): Promise<PdfDocument> {
    const reader = new Reader(options);
    try {
      const pageCount = await reader.open(bytes);
      checkPages(pageCount, options.maxPages ?? DEFAULT_PDF_LIMITS.maxPages);
      return new PdfDocument(bytes, pageCount, reader, options);
    } catch (error) {
      reader.end();
      throw error;
    }
  }

  /**
   * A page that fails leaves the others as they were.
   * @param page from 1
   * @returns the page as the bytes of a PNG
   * @throws CogVLM2Error invalid_value (no such page), invalid_image, aborted
   */
  async renderPage(page: number): Promise<Uint8Array> {
    if (!Number.isInteger(page) || page < 1 || page > this.pageCount) {
      const has = this.pageCount === 1 ? 'one page' : `pages 1 to ${this.pageCount}`;
      throw new CogVLM2Error('invalid_value', `There is no page ${page}: the PDF has ${has}.`);
    }
    try {
      if (this.#reader === undefined) {
        this.#reader = new Reader(this.#options);
        await this.#reader.open(this.#bytes);
      }
      const { pixels, width, height } = await this.#reader.render(page);
      return await encodePng(pixels, width, height);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#reader?.end();
    this.#reader = undefined;
  }
}

/** The thread, asked one thing at a time. */
class Reader {
  readonly #worker: Worker;
  readonly #options: PdfOptions;

  constructor(options: PdfOptions) {
    // What PDFium itself prints is not for a person.
    this.#worker = new Worker(new URL('./pdf-worker.js', import.meta.url), { stdout: true, stderr: true });
    this.#options = options;
  }

  async open(bytes: Uint8Array): Promise<number> {
    const reply = await this.#ask({ open: bytes });
    return 'pageCount' in reply ? reply.pageCount : 0;
  }

  async render(page: number) {
    const reply = await this.#ask({ page, shortSide: shortSidePixels, longSide: longSidePixels });
    if (!('pixels' in reply)) throw broken(`page ${page} gave no picture`);
    return reply;
  }

  end(): void {
    void this.#worker.terminate();
  }

  async #ask(request: PdfRequest): Promise<PdfReply> {
    const { signal, timeoutMs = DEFAULT_PDF_LIMITS.timeoutMs } = this.#options;
    throwIfAborted(signal);
    const late = AbortSignal.timeout(timeoutMs);
    this.#worker.postMessage(request);
    const [reply] = (await once(this.#worker, 'message', {
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    }).catch((cause: unknown) => {
      throwIfAborted(signal);
      throw broken(late.aborted ? `it took longer than ${timeoutMs / 1000} seconds` : String(cause));
    })) as [PdfReply];
    if (!('problem' in reply)) return reply;
    if (/password/i.test(reply.problem)) {
      throw new CogVLM2Error(
        'invalid_image',
        'The PDF is encrypted and asks for a password: save a copy without one, and use that.',
      );
    }
    throw broken(reply.problem);
  }
}

function checkPages(pageCount: number, maxPages: number): void {
  if (pageCount < 1) throw broken('it has no pages');
  if (pageCount <= maxPages) return;
  throw new CogVLM2Error(
    'image_too_large',
    `The PDF has ${pageCount} pages; the limit is ${maxPages}. Split it.`,
  );
}

function broken(why: string): CogVLM2Error {
  const reason = why.replace(/^Error: /, '').replace(/\.$/, '');
  return new CogVLM2Error('invalid_image', `The PDF is damaged, or not one that is read here: ${reason}.`);
}
