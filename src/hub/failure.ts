/** Errors of requests: transient ones are retried, permanent ones are not. */
import { CogVLM2Error } from '../errors.ts';
import { writeProblem } from '../files/writing.ts';

/** Another attempt would give the same answer. */
export class PermanentError extends Error {
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** The connection failed, or the server asked the client to wait. */
export class TransientError extends Error {
  readonly retryAfterMs: number | undefined;
  constructor(message: string, retryAfterMs?: number, cause?: unknown) {
    super(message, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

/** The source does not send consistent parts of a file. The file must be fetched in one request. */
export class RangesUnsupported extends Error {
  /** The bytes received so far belong to another version of the file. */
  readonly changed: boolean;
  constructor(message: string, changed = false) {
    super(message);
    this.changed = changed;
  }
}

export function badAnswer(url: string, what: string): PermanentError {
  return new PermanentError(`what ${url} answers ${what}`);
}

/** Hugging Face also answers 401 for unknown names. */
const refusals: Record<number, string> = {
  401: 'requires authentication (401): the name is wrong, or the repository needs a token (HF_TOKEN for Hugging Face)',
  403: 'refuses access (403): the repository may require that you accept its terms on its page, and then a token (HF_TOKEN for Hugging Face)',
  404: 'does not have it (404)',
};

/** A download does not wait longer, whatever the server wants. */
const maxRetryAfterMs = 600_000;

/** The error for an HTTP status other than success. */
export function statusFailure(url: string, status: number, headers: HttpHeaders): Error {
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const pauseMs = retryAfterMs(headers);
    const limitedMs = pauseMs === undefined ? undefined : Math.min(pauseMs, maxRetryAfterMs);
    return new TransientError(`${url} answers with status ${status}`, limitedMs);
  }
  return new PermanentError(`${url} ${refusals[status] ?? `answers with status ${status}`}`, status);
}

/** By lower-case name, as undici gives them. */
export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

export function firstHeader(headers: HttpHeaders, name: string): string | undefined {
  return [headers[name]].flat()[0];
}

/**
 * How long a server wants a client to wait: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), or `Retry-After-Ms`. A
 * date is compared with the server's own clock, its `Date` header, because the clock of this machine may differ.
 * @param nowMs milliseconds since 1970, for a server without `Date`
 */
export function retryAfterMs(headers: HttpHeaders, nowMs = Date.now()): number | undefined {
  const text = (name: string) => firstHeader(headers, name)?.trim() ?? '';
  const ms = /^\d+(?:\.\d+)?$/.test(text('retry-after-ms')) ? Number(text('retry-after-ms')) : undefined;
  if (ms !== undefined) return ms;
  const written = text('retry-after');
  if (/^\d+(?:\.\d+)?$/.test(written)) return Number(written) * 1000;
  const until = /[a-z]/i.test(written) ? Date.parse(written) : Number.NaN;
  if (Number.isNaN(until)) return undefined;
  const serverNow = Date.parse(text('date'));
  return Math.max(0, until - (Number.isNaN(serverNow) ? nowMs : serverNow));
}

/** The error of undici or of the system, in a few words. */
export function networkProblem(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return (code && problems[code]) ?? (cause.message || (code ?? cause.name));
}

const problems: Record<string, string> = {
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the DNS lookup failed',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'the host did not answer',
  UND_ERR_HEADERS_TIMEOUT: 'the server stopped answering',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
};

/** A file system error in the cache becomes an error with a remedy. Other errors are returned unchanged. */
export function cacheFailure(cause: unknown): unknown {
  if (!(cause instanceof Error && 'syscall' in cause && 'path' in cause)) return cause;
  const why = `${cause.path} cannot be used: ${writeProblem(cause)}`;
  return new CogVLM2Error(
    'write_failed',
    `${why}. Correct that, or set HF_HOME or MODELSCOPE_CACHE to a folder that can be written to.`,
    { cause },
  );
}

/** With the URL and the path for a manual download. */
export function downloadFailed(file: string, why: string, url: string, target: string): CogVLM2Error {
  return new CogVLM2Error(
    'download_failed',
    `${file} could not be downloaded: ${why}. The bytes received so far are kept. To download it by hand, save ${url} as ${target}.`,
  );
}

/** Milliseconds before the n-th consecutive attempt without data: 1, 2, 4 … 30 seconds. */
export function backoffMs(attempt: number): number {
  return Math.min(1000 * 2 ** (attempt - 1), 30_000);
}
