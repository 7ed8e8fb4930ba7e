/** The worker side: takes jobs of one model from the queue until it is stopped. */
import { UnrecoverableError, Worker } from 'bullmq';
import { CogVLM2Error } from '../errors.ts';
import { isItemError } from '../run/items.ts';
import { checkQueue, type QueueAddress } from './address.ts';
import { attempts, type Job, jobSchema, queueName, type Reply } from './job.ts';

export interface WorkerOptions {
  readonly address: QueueAddress;
  readonly model: string;
  /** Maximum number of jobs at the same time. */
  readonly parallel: number;
  /** After this time without a heartbeat, other workers get the jobs of a worker. */
  readonly lostMs: number;
  answer(job: Job, signal: AbortSignal): Promise<Reply>;
  readonly signal: AbortSignal;
  /** Called after each job, with the number of finished jobs. */
  onDone(count: number): void;
  /** Called for a problem with the queue, such as a lost connection. The same problem is reported again only after a finished job. */
  onTrouble(reason: string): void;
}

/** A job fails for good after its worker was lost this number of times. */
const maxStalledCount = 3;

/**
 * Takes jobs until `signal` is aborted, then finishes its current jobs.
 * @throws CogVLM2Error endpoint_failed; or a failure of this machine: then other workers get its jobs
 */
export async function workOnQueue(options: WorkerOptions): Promise<void> {
  const { address, model, parallel, lostMs, signal } = options;
  await checkQueue(address);
  const failed = new AbortController();
  let count = 0;
  let told = '';
  const worker = new Worker<unknown, Reply>(
    queueName(model),
    async ({ data, attemptsMade }) => {
      // Whoever adds a job can give it any number of attempts, and each failed attempt ends a worker.
      if (attemptsMade >= attempts) throw new UnrecoverableError(`${attempts} workers failed on this job`);
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
      throw new CogVLM2Error(
        'invalid_value',
        'The job has an unknown shape. Its client may be a newer version.',
      );
    return await options.answer(job.data, signal);
  } catch (error) {
    if (!isItemError(error)) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}
