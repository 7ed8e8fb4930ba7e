/**
 * One file, from where an earlier attempt left off to its verified end. A large one comes in parts, several at the same
 * time; they are written in order, so that the draft is at any moment the beginning of the file, as the source's own
 * tools keep it: whenever a pull is killed, the length of the draft says all, and what waited in memory is fetched again.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { downloadFailed, Interrupted, Refused, Undivided } from './failure.ts';
import type { RemoteFile } from './repository.ts';
import { Sink } from './sink.ts';
import { discard, type Web, type WebResponse } from './web.ts';

export interface Download extends Omit<PartJob, 'onBytes' | 'version'> {
  /** Where the bytes gather. */
  draft: string;
  /**
   * How much of the file is there, which can also become less: what arrived broken is fetched again. At first, how much
   * of what was left is verified.
   */
  onPosition: (bytes: number, stage: 'download' | 'verify') => void;
  /** Requests at the same time. */
  connections: number;
  /** What is larger comes in parts of this size. */
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
        throw failed(job, `it arrived ${broken} times with another hash than the source lists`);
    } else if (divided && file.sizeBytes - sink.position > job.partBytes) {
      divided = await fetchParts(job, sink);
    } else {
      const part = new Part(sink, sink.position, file.sizeBytes);
      await fetchPart({ ...job, onBytes: () => onPosition(part.position, 'download') }, part);
    }
  }
}

/** False where the source does not send parts that fit each other: one stream has to do. */
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
    if (!(cause instanceof Undivided)) throw cause;
    if (cause.changed) sink.restart();
    return false;
  }
}

// One part of a file, in as many requests as it takes.

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
async function fetchPart(job: PartJob, part: Part): Promise<void> {
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

function failed({ file, target }: Pick<PartJob, 'file' | 'target'>, why: string): CogVLM2Error {
  return downloadFailed(file.name, why, file.url, target);
}

// A stretch of a file on its way: what came of it waits in memory until all before it is on the disk.

class Part {
  /** Where the next byte belongs that the source has to send. */
  position: number;
  /** Behind the last one. */
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

  /** To the disk, if it is this part's turn. @throws CogVLM2Error `write_failed` */
  flush(): void {
    if (this.#sink.position + this.#waitingBytes !== this.position) return;
    for (const bytes of this.#waiting) this.#sink.write(bytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** The file from its first byte, where the source sends nothing else. */
  restart(): void {
    this.#sink.restart();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.position = 0;
  }
}
