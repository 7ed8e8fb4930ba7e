/**
 * One file, from where an earlier attempt left off to its verified end. A large one comes in parts, several at the same
 * time; they are written in order, so that the draft is at any moment the beginning of the file, as the source's own
 * tools keep it: whenever a pull is killed, the length of the draft says all, and what waited in memory is fetched again.
 */
import { Undivided } from './failure.ts';
import { failed, fetchPart, type PartJob } from './fetch-part.ts';
import { Part } from './part.ts';
import { Sink } from './sink.ts';

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
