/** One part of a file, in as many requests as it takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { downloadFailed, Interrupted, Refused, Undivided } from './failure.ts';
import type { RemoteFile } from './listing.ts';
import type { Part } from './part.ts';
import { discard, type Web, type WebResponse } from './web.ts';

export interface PartJob {
  web: Web;
  file: RemoteFile;
  /** Where the file will be found. */
  target: string;
  /** Called whenever some of the part came. */
  onBytes: () => void;
  /** How long to wait before the n-th attempt in a row that brought nothing; n starts at 1. */
  pauseMs: (attempt: number) => number;
  /** Called before each pause, with what made it necessary. */
  onPause: (why: string, ms: number) => void;
  signal: AbortSignal;
  /** For one part among several: the version of the file that all of them must be of, once that is known. */
  version?: { etag: string | undefined };
}

const MAX_FRUITLESS = 6;

/**
 * As long as attempts bring something there may be any number of them.
 * @throws Undivided, for one part among several; CogVLM2Error `download_failed`, `write_failed`; an abort throws the
 * signal's reason.
 */
export async function fetchPart(job: PartJob, part: Part): Promise<void> {
  for (let fruitless = 0; part.position < part.end; ) {
    const before = part.position;
    try {
      await request(job, part);
    } catch (cause) {
      if (cause instanceof Refused) throw failed(job, cause.message);
      if (!(cause instanceof Interrupted)) throw cause;
      fruitless = part.position > before ? 1 : fruitless + 1;
      if (fruitless > MAX_FRUITLESS)
        throw failed(job, `${MAX_FRUITLESS} attempts brought nothing; ${cause.message}`);
      await pause(job, cause, fruitless);
    }
  }
}

/** As long as the server asks for, or as `pauseMs` says. */
export async function pause(
  { pauseMs, onPause, signal }: Pick<PartJob, 'pauseMs' | 'onPause' | 'signal'>,
  cause: Interrupted,
  attempt: number,
): Promise<void> {
  const ms = cause.retryAfterMs ?? pauseMs(attempt);
  onPause(cause.message, ms);
  await sleep(ms, undefined, { signal });
}

/** For all that the part still lacks. */
async function request(job: PartJob, part: Part): Promise<void> {
  const { web, file, signal, version } = job;
  const { position, end } = part;
  const last = version === undefined ? '' : end - 1; // An open range where one stream is to bring the rest.
  const headers = version || position > 0 ? { range: `bytes=${position}-${last}` } : {};
  const response = await web.get(file.url, headers, signal);
  try {
    checkRange(response, job, part);
    for await (const chunk of response.body) {
      if (part.position + chunk.length > end) throw tooMuch(response, job, part);
      part.take(chunk);
      job.onBytes();
    }
  } catch (cause) {
    discard(response);
    if (cause instanceof CogVLM2Error || cause instanceof Undivided) throw cause;
    throw web.failure(response.url, cause, signal);
  }
  if (part.position < end) throw new Interrupted(`${response.url} ended early`);
}

function checkRange(response: WebResponse, { file, version }: PartJob, part: Part): void {
  if (response.status !== 206) {
    // The server sends the whole file whatever is asked for.
    if (version) throw new Undivided('the whole file comes where a part was asked for');
    if (part.position > 0) part.restart();
    return;
  }
  const [, from, last, size] =
    /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.header('content-range') ?? '') ?? [];
  const fits = Number(from) === part.position && Number(last) < part.end;
  if (!fits || (size !== '*' && Number(size) !== file.sizeBytes)) {
    if (version) throw new Undivided('another part comes than was asked for');
    throw new Interrupted(`${response.url} sends another part than was asked for`);
  }
  if (version === undefined) return;
  const etag = response.header('etag');
  if (version.etag !== undefined && etag !== undefined && etag !== version.etag)
    throw new Undivided('the file changed', true);
  version.etag ??= etag;
}

function tooMuch({ url }: WebResponse, { file, version }: PartJob, part: Part): Error {
  if (version) return new Undivided('more comes than was asked for');
  part.restart();
  return new Interrupted(`${url} sends more than the ${file.sizeBytes} bytes of the file`);
}

export function failed({ file, target }: Pick<PartJob, 'file' | 'target'>, why: string): CogVLM2Error {
  return downloadFailed(file.name, why, file.url, target);
}
