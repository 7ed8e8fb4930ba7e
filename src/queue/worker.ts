/** The worker side: takes jobs of one model from the queue until it is stopped. */
import { Worker } from 'bullmq';
import { CogVLM2Error } from '../errors.ts';
import { isItemError } from '../run/items.ts';
import type { QueueAddress } from './address.ts';
import { checkQueue } from './connect.ts';
import { type Job, jobSchema, queueName, type Reply } from './job.ts';

export interface WorkerOptions {
  readonly address: QueueAddress;
  readonly model: string;
  /** Number of jobs at the same time. */
  readonly parallel: number;
  /** The jobs of a worker go to others after this time without a heartbeat. */
  readonly lostMs: number;
  answer(job: Job, signal: AbortSignal): Promise<Reply>;
  readonly signal: AbortSignal;
  /** Called after each job with the number of jobs so far. */
  onDone(count: number): void;
  /** A problem with the queue, such as a lost connection. Each is reported once until a job is done. */
  onTrouble(reason: string): void;
}

/** A job whose worker was lost this many times is given up. */
const maxStalledCount = 3;

/**
 * Takes jobs until `signal`, then finishes its current jobs.
 * @throws CogVLM2Error endpoint_failed; or the failure of this machine, whose jobs go to other workers
 */
export async function workOnQueue(options: WorkerOptions): Promise<void> {
  const { address, model, parallel, lostMs, signal } = options;
  await checkQueue(address);
  const failed = new AbortController();
  let count = 0;
  let told = '';
  const worker = new Worker<unknown, Reply>(
    queueName(model),
    async ({ data }) => {
      try {
        const reply = await answerOrError(data, options, failed.signal);
        told = '';
        options.onDone(++count);
        return reply;
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    },
    {
      connection: { url: address.url },
      concurrency: parallel,
      lockDuration: lostMs,
      stalledInterval: Math.max(1_000, lostMs / 2),
      maxStalledCount,
    },
  );
  worker.on('error', ({ message }) => {
    if (message === told || signal.aborted) return;
    told = message;
    options.onTrouble(message);
  });
  const end = AbortSignal.any([signal, failed.signal]);
  await new Promise<void>((resolve) => {
    end.addEventListener('abort', () => resolve(), { once: true });
    if (end.aborted) resolve();
  });
  await worker.close();
  failed.signal.throwIfAborted();
}

async function answerOrError(data: unknown, options: WorkerOptions, signal: AbortSignal): Promise<Reply> {
  const job = jobSchema.safeParse(data);
  try {
    if (!job.success)
      throw new CogVLM2Error('invalid_value', 'The job has another shape: is its sender newer?');
    return await options.answer(job.data, signal);
  } catch (error) {
    if (!isItemError(error)) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}
