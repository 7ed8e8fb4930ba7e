/**
 * Renders the pages of a PDF as images, for clients that cannot render them, such as the chat page. It writes one JSON line for each
 * page, and renders pages while the client reads. PDFium runs in a thread with limited memory and time (src/pdf/pdf.ts).
 */
import { isPdf, unreadableImage } from '../../image/formats.ts';
import { PdfDocument } from '../../pdf/pdf.ts';
import { Slots } from '../../run/slots.ts';
import { ApiError, apiErrorOf, clientLeft } from '../api-error.ts';
import type { App, AppParts } from '../app-parts.ts';
import { incomingRequest } from '../chat/incoming.ts';
import { PAGES_LIMITS } from '../limits.ts';

export function pageRoutes(app: App, parts: AppParts): void {
  /** One document at a time, because an open document may need half a gigabyte. */
  const slots = new Slots(1);
  app.post('/v1/pages', async (c) => {
    const incoming = incomingRequest(c, parts);
    const stop = new AbortController();
    const { disconnected } = incoming;
    const onLeft = () => stop.abort(clientLeft());
    disconnected.addEventListener('abort', onLeft, { once: true });
    if (disconnected.aborted) onLeft();
    let pdf: PdfDocument | undefined;
    let slot: Disposable | undefined;
    const end = () => {
      disconnected.removeEventListener('abort', onLeft);
      pdf?.[Symbol.dispose]();
      slot?.[Symbol.dispose]();
      incoming.place.leave();
    };
    try {
      const bytes = await incoming.readBytes(stop.signal);
      if (!isPdf(bytes)) {
        const { message } = unreadableImage(bytes, 'The body', 'PDF files');
        throw new ApiError('invalid_image_format', message);
      }
      slot = await slots.take(stop.signal);
      pdf = await PdfDocument.open(bytes, { signal: stop.signal, maxPages: PAGES_LIMITS.pages });
      const isNeeded = () => slots.waiting > 0;
      const body = pageLines(pdf, { id: c.get('id'), stop, end, isNeeded });
      return new Response(body, {
        headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
      });
    } catch (error) {
      end();
      throw error;
    }
  });
}

interface Lines {
  /** Of the request. */
  id: string;
  /** Aborted when the client reads too slowly. */
  stop: AbortController;
  /** Called once, after the last line. */
  end(): void;
  /** Whether another client waits for a slot. */
  isNeeded(): boolean;
}

/** Interval of the checks whether a client reads. */
const CHECK_MS = 500;

/** `{"page":1,"page_count":3,"image":"data:image/png;base64,...","warnings":[]}` for each page, with `error` instead of the image of one that failed. */
function pageLines(pdf: PdfDocument, { id, stop, end, isNeeded }: Lines): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let page = 0;
  /** Time since which the client has not read; null while a page is rendered. */
  let idleSince: number | null = null;
  /** Total earlier waiting time for this client. */
  let idleMs = 0;
  let check: NodeJS.Timeout | undefined;
  const finish = () => {
    clearInterval(check);
    end();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        check = setInterval(() => {
          if (idleSince === null) return;
          const now = performance.now() - idleSince;
          const isSlow = now >= PAGES_LIMITS.slowReaderMs;
          if (!isSlow && !(isNeeded() && idleMs + now >= PAGES_LIMITS.idleMs)) return;
          const message = isSlow
            ? `No page was read for ${PAGES_LIMITS.slowReaderMs / 1000} s.`
            : `The pages were read too slowly while other clients wait: ${PAGES_LIMITS.idleMs / 1000} s without a read.`;
          stop.abort(new ApiError('slow_reader', message));
          controller.error(stop.signal.reason);
          finish();
        }, CHECK_MS);
      },
      async pull(controller) {
        if (idleSince !== null) idleMs += performance.now() - idleSince;
        idleSince = null;
        const line = await lineOf(pdf, ++page, id);
        // The client has disconnected.
        if (stop.signal.aborted) return;
        controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
        idleSince = performance.now();
        if (page < pdf.pageCount) return;
        finish();
        controller.close();
      },
      cancel() {
        stop.abort(clientLeft());
        finish();
      },
    },
    { highWaterMark: 1 },
  );
}

async function lineOf(pdf: PdfDocument, page: number, id: string): Promise<object> {
  const head = { page, page_count: pdf.pageCount };
  try {
    const { bytes, warnings } = await pdf.renderPage(page);
    return { ...head, image: `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`, warnings };
  } catch (error) {
    return { ...head, ...apiErrorOf(error, id).body };
  }
}
