/**
 * PDFium in a thread of its own, so that a PDF which takes for ever, or takes PDFium down, can be ended from outside.
 * First a message with the file's bytes, answered by the number of pages; then one per page, answered by its pixels.
 *
 * JavaScript, because a thread is started from a file as it lies there: from `src` in the tests, from `dist` else.
 */
import { parentPort } from 'node:worker_threads';
import { PDFiumLibrary } from '@hyzyla/pdfium';

/**
 * `page` is from 1; the other two are pixels, of which the page gets as many as fit both.
 * @typedef {{ open: Uint8Array } | { page: number, shortSide: number, longSide: number }} PdfRequest
 */
/**
 * `pixels` is [height, width, 4], RGBA, opaque.
 * @typedef {{ pageCount: number } | { width: number, height: number, pixels: Uint8Array } | { problem: string }} PdfReply
 */

/** @type {import('@hyzyla/pdfium').PDFiumDocument | undefined} */
let document;

parentPort?.on('message', (/** @type {PdfRequest} */ request) => {
  work(request).then(
    (reply) => parentPort?.postMessage(reply),
    (cause) => parentPort?.postMessage({ problem: String(cause) }),
  );
});

/** @param {PdfRequest} request @returns {Promise<PdfReply>} */
async function work(request) {
  if ('open' in request) {
    const library = await PDFiumLibrary.init();
    document = await library.loadDocument(request.open);
    return { pageCount: document.getPageCount() };
  }
  if (document === undefined) return { problem: 'no document is open' };
  const page = document.getPage(request.page - 1);
  const { originalWidth, originalHeight } = page.getOriginalSize();
  if (!(originalWidth > 0 && originalHeight > 0)) return { problem: `page ${request.page} has no size` };
  const scale = Math.min(
    request.shortSide / Math.min(originalWidth, originalHeight),
    request.longSide / Math.max(originalWidth, originalHeight),
  );
  const { width, height, data } = await page.render({
    scale: 1,
    width: Math.max(1, Math.round(originalWidth * scale)),
    height: Math.max(1, Math.round(originalHeight * scale)),
    render: 'bitmap',
    renderFormFields: true,
  });
  return { width, height, pixels: data };
}
