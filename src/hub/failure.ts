/** How a request can fail: worth another attempt, or not. */
import { CogVLM2Error } from '../errors.ts';
import { writeProblem } from '../files/writing.ts';

/** Ends the pull: asking again would be answered the same. */
export class Refused extends Error {
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** The connection failed, or the server asked for patience. */
export class Interrupted extends Error {
  readonly retryAfterMs: number | undefined;
  constructor(message: string, retryAfterMs?: number, cause?: unknown) {
    super(message, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

/** The source does not send parts of a file that fit each other; one stream of it may come. */
export class Undivided extends Error {
  /** What came so far is of another version of the file. */
  readonly changed: boolean;
  constructor(message: string, changed = false) {
    super(message);
    this.changed = changed;
  }
}

export function badAnswer(url: string, what: string): Refused {
  return new Refused(`what ${url} answers ${what}`);
}

/** Hugging Face answers 401 for names that it does not know, too. */
const refusals: Record<number, string> = {
  401: 'asks who you are (401): the name is wrong, or it is not public and needs a token that may read it, which is HF_TOKEN for Hugging Face',
  403: 'refuses (403): the repository may ask for consent on its page, and then for a token, which is HF_TOKEN for Hugging Face',
  404: 'has nothing there (404)',
};

/** A status that is no success, as an error. */
export function statusFailure(url: string, status: number, retryAfter: string | undefined): Error {
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return new Interrupted(`${url} answers with status ${status}`, retryAfterMs(retryAfter));
  }
  return new Refused(`${url} ${refusals[status] ?? `answers with status ${status}`}`, status);
}

/** Seconds or a date, as the header has it; at most ten minutes, whatever it says. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 600_000) : undefined;
}

/** What undici or the system says, in a few words. */
export function networkProblem(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return (code && problems[code]) ?? (cause.message || (code ?? cause.name));
}

const problems: Record<string, string> = {
  ENOTFOUND: 'the host is not known here',
  EAI_AGAIN: 'the host could not be looked up',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'the host did not answer',
  UND_ERR_HEADERS_TIMEOUT: 'the server stopped answering',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
};

/** What the system refused to do in the cache, as a person can mend it; any other failure as it is. */
export function cacheFailure(cause: unknown): unknown {
  if (!(cause instanceof Error && 'syscall' in cause && 'path' in cause)) return cause;
  const why = `${cause.path} cannot be used: ${writeProblem(cause)}`;
  return new CogVLM2Error(
    'write_failed',
    `${why}. Mend that, or set HF_HOME or MODELSCOPE_CACHE to a folder that can be written to.`,
    { cause },
  );
}

/** With what a person needs to put the file there without us. */
export function downloadFailed(file: string, why: string, url: string, target: string): CogVLM2Error {
  return new CogVLM2Error(
    'download_failed',
    `${file} could not be downloaded: ${why}. What came so far is kept; to do it by hand, save ${url} as ${target}.`,
  );
}

/** Milliseconds before the n-th attempt in a row that brought nothing: 1, 2, 4 … 30 seconds. */
export function patience(attempt: number): number {
  return Math.min(1000 * 2 ** (attempt - 1), 30_000);
}
