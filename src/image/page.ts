/** What a person names to be looked at: a picture, or one page of a PDF. */
import { CogVLM2Error } from '../errors.ts';
import { DEFAULT_IMAGE_LIMITS } from './limits.ts';
import { DEFAULT_PDF_LIMITS, PdfDocument } from './pdf.ts';
import { describeOther, isPdf, sniffFormat } from './sniff.ts';
import { type ImageSource, readImageSource, readStream } from './source.ts';

export interface Page {
  /** An encoded picture. */
  readonly bytes: Uint8Array;
  /** Of a PDF: which page, from 1, and how many there are. */
  readonly page: number | null;
  readonly pageCount: number | null;
}

/**
 * @param name how messages call the source
 * @param page from 1; without it, the first page
 * @throws CogVLM2Error file_not_found, invalid_image, image_too_large, invalid_value (no such page), aborted
 */
export async function readPage(
  source: ImageSource | AsyncIterable<Uint8Array>,
  name: string,
  page: number | undefined,
  signal: AbortSignal,
): Promise<Page> {
  const bytes = await readPictureOrPdf(source, name, signal);
  if (!isPdf(bytes)) {
    if (page !== undefined) {
      throw new CogVLM2Error('invalid_value', `${name} is a picture, not a PDF, so it has no page ${page}.`);
    }
    return { bytes, page: null, pageCount: null };
  }
  using pdf = await PdfDocument.open(bytes, { signal });
  return { bytes: await pdf.renderPage(page ?? 1), page: page ?? 1, pageCount: pdf.pageCount };
}

/** The bytes as they are; what is neither is refused by what it is. */
export async function readPictureOrPdf(
  source: ImageSource | AsyncIterable<Uint8Array>,
  name: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const limits = { maxBytes: DEFAULT_PDF_LIMITS.maxBytes, signal };
  const isBytesOrName = typeof source === 'string' || source instanceof Uint8Array;
  const bytes = await (isBytesOrName ? readImageSource(source, limits) : readStream(source, limits));
  if (isPdf(bytes)) return bytes;
  if (sniffFormat(bytes) === null) {
    const what = `${name} is ${describeOther(bytes)}`;
    throw new CogVLM2Error('invalid_image', `${what}; PNG, JPEG and WebP pictures and PDF files are read.`);
  }
  return readImageSource(bytes, { maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes });
}
