/**
 * Downloads one file, resumes an earlier attempt, and verifies the result. Large files are fetched in parts, several at
 * the same time, and written in order. So a partial file is always a prefix of the file, as the source's own tools write
 * it. After a kill, its length is all that a resume needs; parts that were only in memory are fetched again.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { downloadFailed, firstHeader, PermanentError, RangesUnsupported, TransientError } from './failure.ts';
import type { RemoteFile } from './repository.ts';
import { Sink } from './sink.ts';
import { discard, type Web, type WebResponse } from './web.ts';

export interface Download extends Omit<PartJob, 'onBytes' | 'version'> {
  /** The partial file. */
  draft: string;
  /**
   * Bytes that are present. The number decreases when damaged data is discarded. First it counts the bytes of an earlier
   * attempt that are verified.
   */
  onPosition: (bytes: number, stage: 'download' | 'verify') => void;
  /** Concurrent requests. */
  connections: number;
  /** Larger files are fetched in parts of this size. */
  partBytes: number;
}

const MAX_BROKEN = 2;

/** @throws CogVLM2Error `download_failed`, `write_failed`; an abort throws the signal's reason. */
export async function download(job: Download): Promise<void> {
  const { file, onPosition } = job;
  using sink = new Sink(job.draft, file);
  await sink.open(job.signal, () => onPosition(sink.position, 'verify'));
  let divided = job.connections > 1;
  for (let broken = 0; ; ) {
    onPosition(sink.position, 'download');
    if (sink.position === file.sizeBytes) {
      if (sink.verify()) return;
      sink.restart();
      if (++broken > MAX_BROKEN)
        throw failed(job, `it arrived ${broken} times with a different hash than the source lists`);
    } else if (divided && file.sizeBytes - sink.position > job.partBytes) {
      divided = await fetchParts(job, sink);
    } else {
      const part = new Part(sink, sink.position, file.sizeBytes);
      await fetchPart({ ...job, onBytes: () => onPosition(part.position, 'download') }, part);
    }
  }
}

/** @returns false if the source does not support ranges; then the file is fetched in one request */
async function fetchParts(job: Download, sink: Sink): Promise<boolean> {
  const stop = new AbortController();
  const underway = new Set<Part>();
  const partJob: PartJob = {
    ...job,
    signal: AbortSignal.any([job.signal, stop.signal]),
    version: { etag: undefined },
    onBytes: () => {
      const waiting = [...underway].reduce((sum, part) => sum + part.waitingBytes, 0);
      job.onPosition(sink.position + waiting, 'download');
    },
  };
  let next = sink.position;
  let last = Promise.resolve();
  const fetchAfter = async (part: Part, before: Promise<void>) => {
    await fetchPart(partJob, part);
    await before;
    part.flush();
    underway.delete(part);
  };
  const worker = async () => {
    while (next < job.file.sizeBytes) {
      const part = new Part(sink, next, Math.min(next + job.partBytes, job.file.sizeBytes));
      next = part.end;
      underway.add(part);
      const mine = fetchAfter(part, last);
      last = mine;
      await mine;
    }
  };
  const workers = Array.from({ length: job.connections }, worker);
  try {
    await Promise.all(workers);
    return true;
  } catch (cause) {
    stop.abort(cause);
    await Promise.allSettled(workers);
    if (!(cause instanceof RangesUnsupported)) throw cause;
    if (cause.changed) sink.restart();
    return false;
  }
}

// One part of a file, with as many requests as needed.

export interface PartJob {
  web: Web;
  file: RemoteFile;
  /** The final path of the file. */
  target: string;
  /** Called when bytes of the part arrived. */
  onBytes: () => void;
  /** The delay before the n-th consecutive attempt without data; n starts at 1. */
  pauseMs: (attempt: number) => number;
  /** Called before each delay with its reason. */
  onPause: (why: string, ms: number) => void;
  signal: AbortSignal;
  /** If the file is fetched in parts: the version that all parts must have, once it is known. */
  version?: { etag: string | undefined };
}

const MAX_FRUITLESS = 6;

/**
 * The number of attempts is limited only if they bring no data.
 * @throws RangesUnsupported if the file is fetched in parts; CogVLM2Error `download_failed`, `write_failed`. An abort throws
 * the signal's reason.
 */
async function fetchPart(job: PartJob, part: Part): Promise<void> {
  for (let fruitless = 0; part.position < part.end; ) {
    const before = part.position;
    try {
      await request(job, part);
    } catch (cause) {
      if (cause instanceof PermanentError) throw failed(job, cause.message);
      if (!(cause instanceof TransientError)) throw cause;
      fruitless = part.position > before ? 1 : fruitless + 1;
      if (fruitless > MAX_FRUITLESS)
        throw failed(job, `${MAX_FRUITLESS} attempts received no data; ${cause.message}`);
      await pause(job, cause, fruitless);
    }
  }
}

/** Waits as long as the server asks, or as `pauseMs` says. */
export async function pause(
  { pauseMs, onPause, signal }: Pick<PartJob, 'pauseMs' | 'onPause' | 'signal'>,
  cause: TransientError,
  attempt: number,
): Promise<void> {
  const ms = cause.retryAfterMs ?? pauseMs(attempt);
  onPause(cause.message, ms);
  await sleep(ms, undefined, { signal });
}

/** Requests the rest of the part. */
async function request(job: PartJob, part: Part): Promise<void> {
  const { web, file, signal, version } = job;
  const { position, end } = part;
  const last = version === undefined ? '' : end - 1; // An open range for a file in one request.
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
    if (cause instanceof CogVLM2Error || cause instanceof RangesUnsupported) throw cause;
    throw web.failure(response.url, cause, signal);
  }
  if (part.position < end) throw new TransientError(`${response.url} ended early`);
}

function checkRange(response: WebResponse, { file, version }: PartJob, part: Part): void {
  if (response.status !== 206) {
    // The server ignores ranges and sends the whole file.
    if (version) throw new RangesUnsupported('the server sends the whole file instead of a part');
    if (part.position > 0) part.restart();
    return;
  }
  const [, from, last, size] =
    /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(firstHeader(response.headers, 'content-range') ?? '') ?? [];
  const fits = Number(from) === part.position && Number(last) < part.end;
  if (!fits || (size !== '*' && Number(size) !== file.sizeBytes)) {
    if (version) throw new RangesUnsupported('the server sends a different part');
    throw new TransientError(`${response.url} sends a different part than requested`);
  }
  if (version === undefined) return;
  const etag = firstHeader(response.headers, 'etag');
  if (version.etag !== undefined && etag !== undefined && etag !== version.etag)
    throw new RangesUnsupported('the file changed', true);
  version.etag ??= etag;
}

function tooMuch({ url }: WebResponse, { file, version }: PartJob, part: Part): Error {
  if (version) return new RangesUnsupported('the server sends more than requested');
  part.restart();
  return new TransientError(`${url} sends more than the ${file.sizeBytes} bytes of the file`);
}

function failed({ file, target }: Pick<PartJob, 'file' | 'target'>, why: string): CogVLM2Error {
  return downloadFailed(file.name, why, file.url, target);
}

// A part of a file during its download. Its bytes stay in memory until all bytes before them are written.

class Part {
  /** The offset of the next byte to receive. */
  position: number;
  /** The offset after the last byte. */
  readonly end: number;
  readonly #sink: Sink;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(sink: Sink, from: number, end: number) {
    this.#sink = sink;
    this.position = from;
    this.end = end;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  take(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.position += bytes.length;
    this.flush();
  }

  /** Writes the bytes if all bytes before them are written. @throws CogVLM2Error `write_failed` */
  flush(): void {
    if (this.#sink.position + this.#waitingBytes !== this.position) return;
    for (const bytes of this.#waiting) this.#sink.write(bytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** Starts again at the first byte of the file. */
  restart(): void {
    this.#sink.restart();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.position = 0;
  }
}
