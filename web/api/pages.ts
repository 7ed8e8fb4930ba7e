/** The pages of a PDF, drawn by the server. */
import { blobOf } from './base64.ts';
import { ApiError, apiErrorOf, type Connection, request } from './connection.ts';
import { isRecord, listAt, numberAt, textAt } from './json.ts';
import { linesOf } from './lines.ts';

export interface PdfPage {
  /** From 1. */
  page: number;
  pageCount: number;
  image: Blob | ApiError;
  warnings: string[];
}

/**
 * @throws ApiError: a refusal by the server; `unreachable`; `broken_off` if pages are missing; the signal's reason
 */
export async function* drawPages(
  connection: Connection,
  pdf: Blob,
  signal: AbortSignal,
): AsyncGenerator<PdfPage> {
  const response = await request(connection, '/v1/pages', {
    method: 'POST',
    headers: { 'content-type': 'application/pdf' },
    body: pdf,
    signal,
  });
  let [page, pageCount] = [0, 1];
  try {
    if (response.body) {
      for await (const line of linesOf(response.body)) {
        const drawn = pageOf(line);
        ({ page, pageCount } = drawn);
        yield drawn;
      }
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ApiError) throw error;
    throw new ApiError('broken_off', error instanceof Error ? error.message : String(error));
  }
  if (page < pageCount) throw new ApiError('broken_off', `Page ${page} of ${pageCount} was the last.`);
}

function pageOf(line: string): PdfPage {
  const value: unknown = JSON.parse(line);
  const page = isRecord(value) ? numberAt(value, 'page') : null;
  const pageCount = isRecord(value) ? numberAt(value, 'page_count') : null;
  if (!isRecord(value) || page === null || pageCount === null)
    throw new ApiError('unreadable', `A line is not a page: ${line.slice(0, 80)}`);
  const image = textAt(value, 'image');
  return {
    page,
    pageCount,
    image: image === null ? apiErrorOf(value) : blobOfUrl(image),
    warnings: listAt(value, 'warnings').map(String),
  };
}

function blobOfUrl(dataUrl: string): Blob {
  const [head = '', base64 = ''] = dataUrl.split(',');
  const type = /^data:([^;]*)/.exec(head)?.[1] ?? 'image/png';
  return blobOf(base64, type);
}
