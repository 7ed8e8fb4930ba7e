/** One file, from where an earlier attempt left off to its verified end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CogVLM2Error } from '../errors.ts';
import { downloadFailed, Interrupted, Refused } from './failure.ts';
import type { RemoteFile } from './listing.ts';
import { Sink } from './sink.ts';
import { discard, type Web } from './web.ts';

export interface Download {
  web: Web;
  file: RemoteFile;
  /** Where the bytes gather, and where they will be found. */
  draft: string;
  target: string;
  /** How much of the file is there, which can also become less: what arrived broken is fetched again. */
  onPosition: (bytes: number) => void;
  /** How long to wait before the n-th attempt in a row that brought nothing; n starts at 1. */
  pauseMs: (attempt: number) => number;
  signal: AbortSignal;
}

const MAX_FRUITLESS = 6;
const MAX_BROKEN = 2;

/** @throws CogVLM2Error `download_failed`, `write_failed`; an abort throws the signal's reason. */
export async function download(job: Download): Promise<void> {
  const { file, onPosition, signal } = job;
  using sink = new Sink(job.draft, file);
  await sink.open(signal);
  for (let [fruitless, broken] = [0, 0]; ; ) {
    onPosition(sink.position);
    if (sink.position === file.sizeBytes) {
      if (sink.verify()) return;
      if (++broken > MAX_BROKEN)
        throw failed(job, `it arrived ${broken} times with another hash than the source lists`);
      sink.restart();
      continue;
    }
    const before = sink.position;
    try {
      await fetchRest(job, sink);
      fruitless = 0;
    } catch (cause) {
      if (cause instanceof Refused) throw failed(job, cause.message);
      if (!(cause instanceof Interrupted)) throw cause;
      fruitless = sink.position > before ? 1 : fruitless + 1;
      if (fruitless > MAX_FRUITLESS)
        throw failed(job, `${MAX_FRUITLESS} attempts brought nothing; ${cause.message}`);
      await sleep(cause.retryAfterMs ?? job.pauseMs(fruitless), undefined, { signal });
    }
  }
}

/** One request for all that is missing. */
async function fetchRest({ web, file, onPosition }: Download, sink: Sink): Promise<void> {
  const from = sink.position;
  const response = await web.get(file.url, from > 0 ? { range: `bytes=${from}-` } : {});
  if (response.status !== 206) {
    if (from > 0) sink.restart(); // The server sends the whole file whatever is asked for.
  } else if (response.header('content-range') !== `bytes ${from}-${file.sizeBytes - 1}/${file.sizeBytes}`) {
    discard(response);
    throw new Interrupted(`${response.url} sends another part than was asked for`);
  }
  try {
    for await (const chunk of response.body) {
      if (sink.position + chunk.length > file.sizeBytes) {
        sink.restart();
        throw new Interrupted(`${response.url} sends more than the ${file.sizeBytes} bytes of the file`);
      }
      sink.write(chunk);
      onPosition(sink.position);
    }
  } catch (cause) {
    discard(response);
    if (cause instanceof CogVLM2Error) throw cause; // The disk, not the network.
    throw web.failure(response.url, cause);
  }
  if (sink.position < file.sizeBytes) throw new Interrupted(`${response.url} ended early`);
}

function failed({ file, target }: Download, why: string): CogVLM2Error {
  return downloadFailed(file.name, why, file.url, target);
}
