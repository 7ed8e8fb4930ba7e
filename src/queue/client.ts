/** The side that asks: puts jobs into the queue and waits for their replies. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Job as QueuedJob } from 'bullmq';
import { CogVLM2Error } from '../errors.ts';
import type { QueueAddress } from './address.ts';
import { checkQueue } from './connect.ts';
import { type Job, queueName, type Reply, replySchema } from './job.ts';

const pollMs = 200;
/** Workers on which a job may fail, by the machine's fault, before it is given up. */
const attempts = 3;

export class QueueClient implements AsyncDisposable {
  readonly #queue: Queue;
  readonly #waiting = new Map<string, (finished: boolean) => void>();
  readonly #end = new AbortController();
  #failure: unknown;

  private constructor(queue: Queue) {
    this.#queue = queue;
    // Lost connections are taken up again; what matters is said by the commands that fail.
    queue.on('error', () => {});
    void this.#watch();
  }

  /** @throws CogVLM2Error endpoint_failed */
  static async open(address: QueueAddress, model: string): Promise<QueueClient> {
    await checkQueue(address);
    return new QueueClient(new Queue(queueName(model), { connection: { url: address.url } }));
  }

  /**
   * @param id the same for the same question of the same run, as hexadecimal digits: a job that an earlier process of the
   * run put in, or that is answered already, is not put in again
   * @throws CogVLM2Error endpoint_failed (given up by the workers), aborted
   */
  async ask(id: string, job: Job, signal: AbortSignal): Promise<Reply> {
    await this.#queue.add('ask', job, { jobId: id, attempts, removeOnComplete: false, removeOnFail: false });
    await this.#finished(id, signal);
    const found = await QueuedJob.fromId<Job, unknown>(this.#queue, id);
    const reply = replySchema.safeParse(found?.returnvalue);
    if (reply.success) return reply.data;
    throw new CogVLM2Error(
      'endpoint_failed',
      `The workers gave a question up: ${found?.failedReason || 'the reply has another shape'}.`,
    );
  }

  /** Takes a job out, once its reply is kept. */
  async forget(id: string): Promise<void> {
    await this.#queue.remove(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#queue.close();
  }

  async #finished(id: string, signal: AbortSignal): Promise<void> {
    const stopped = () => new CogVLM2Error('aborted', 'Stopped.', { cause: signal.reason });
    if (signal.aborted) throw stopped();
    let forget = () => {};
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => reject(stopped());
      signal.addEventListener('abort', onAbort);
      forget = () => signal.removeEventListener('abort', onAbort);
      this.#waiting.set(id, (isFinished) => (isFinished ? resolve() : reject(this.#failure)));
    }).finally(() => {
      this.#waiting.delete(id);
      forget();
    });
  }

  /** Asking is surer than listening: an event that came while the connection was away is not missed. */
  async #watch(): Promise<void> {
    const { signal } = this.#end;
    try {
      while (!signal.aborted) {
        if (this.#waiting.size > 0) {
          const finished = await this.#queue.getRanges(['completed', 'failed'], 0, -1);
          for (const id of finished) this.#waiting.get(id)?.(true);
        }
        await sleep(pollMs, undefined, { signal });
      }
    } catch (cause) {
      if (signal.aborted) return;
      this.#failure = new CogVLM2Error('endpoint_failed', `The queue was lost: ${String(cause)}.`, { cause });
      for (const resolve of [...this.#waiting.values()]) resolve(false);
    }
  }
}
