/** What a person names to ask about: an image, or one page of a PDF. */
import { CogVLM2Error } from '../errors.ts';
import { ImageFile } from './image-file.ts';
import { DEFAULT_IMAGE_LIMITS } from './limits.ts';
import { DEFAULT_PDF_LIMITS, PdfDocument } from './pdf.ts';
import { isPdf, readableFormats, sniffFormat, unreadableImage } from './sniff.ts';
import { type ImageSource, readImageSource, readStream } from './source.ts';

export interface Page {
  readonly image: ImageFile;
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

/** @returns an image, or the bytes of a PDF; anything else is refused by what it is */
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
