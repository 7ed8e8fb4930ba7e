/** The client side: adds jobs to the queue and waits for their replies. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Job as QueuedJob } from 'bullmq';
import { CogVLM2Error } from '../errors.ts';
import { checkQueue, type QueueAddress } from './address.ts';
import { attempts, type Job, queueName, type Reply, replySchema } from './job.ts';

const pollMs = 200;
/** Replies that no client fetched are deleted after a week. */
const keptSeconds = 7 * 24 * 3600;
type Outcome = 'finished' | 'gone' | 'lost';

export class QueueClient implements AsyncDisposable {
  readonly #queue: Queue;
  readonly #waiting = new Map<string, (outcome: Outcome) => void>();
  readonly #end = new AbortController();
  #failure: CogVLM2Error | undefined;

  private constructor(queue: Queue) {
    this.#queue = queue;
    // The client reconnects by itself; commands that fail report the reason.
    queue.on('error', () => {});
    void this.#watch();
  }

  /** @throws CogVLM2Error endpoint_failed */
  static async open(address: QueueAddress, model: string): Promise<QueueClient> {
    await checkQueue(address);
    return new QueueClient(new Queue(queueName(model), { connection: { url: address.url } }));
  }

  /**
   * @param id hexadecimal digits, equal for the same question of the same run. If the queue has a job or an answer with this id
   * from an earlier process of the run, no new job is added.
   * @throws CogVLM2Error endpoint_failed (all attempts failed, or the queue was lost), aborted
   */
  async ask(id: string, job: Job, signal: AbortSignal): Promise<Reply> {
    const found = await this.#reach(() => this.#untilFinished(id, job, signal));
    const reply = replySchema.safeParse(found.returnvalue);
    if (reply.success) return reply.data;
    // Remove the job, so that the same command can try again.
    await this.forget(id);
    throw new CogVLM2Error(
      'endpoint_failed',
      `All attempts of the workers failed: ${found.failedReason?.slice(0, 500) || 'the reply has an unknown shape'}.`,
    );
  }

  /** Removes a job after its reply is kept. */
  async forget(id: string): Promise<void> {
    await this.#reach(() => this.#queue.remove(id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#queue.close();
  }

  async #untilFinished(id: string, job: Job, signal: AbortSignal): Promise<QueuedJob<Job, unknown>> {
    const [removeOnComplete, removeOnFail] = [{ age: keptSeconds }, { age: keptSeconds }];
    for (;;) {
      await this.#queue.add('ask', job, { jobId: id, attempts, removeOnComplete, removeOnFail });
      if ((await this.#outcome(id, signal)) === 'gone') continue;
      const found = await QueuedJob.fromId<Job, unknown>(this.#queue, id);
      if (found) return found;
    }
  }

  /** @throws CogVLM2Error endpoint_failed. It does not contain the error of the connection, which may contain a password. */
  async #reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof CogVLM2Error ? error : lost(error);
    }
  }

  async #outcome(id: string, signal: AbortSignal): Promise<Outcome> {
    if (this.#failure) throw this.#failure;
    const stopped = () => new CogVLM2Error('aborted', 'Stopped.', { cause: signal.reason });
    if (signal.aborted) throw stopped();
    let forget = () => {};
    return await new Promise<Outcome>((resolve, reject) => {
      const onAbort = () => reject(stopped());
      signal.addEventListener('abort', onAbort);
      forget = () => signal.removeEventListener('abort', onAbort);
      this.#waiting.set(id, (outcome) => (outcome === 'lost' ? reject(this.#failure) : resolve(outcome)));
    }).finally(() => {
      this.#waiting.delete(id);
      forget();
    });
  }

  /** Polls, because events that occur while the connection is lost do not arrive. */
  async #watch(): Promise<void> {
    const { signal } = this.#end;
    try {
      while (!signal.aborted) {
        await Promise.all([...this.#waiting.keys()].map((id) => this.#look(id)));
        await sleep(pollMs, undefined, { signal });
      }
    } catch (cause) {
      if (signal.aborted) return;
      this.#failure = lost(cause);
      for (const tell of [...this.#waiting.values()]) tell('lost');
    }
  }

  /** A job is gone if Redis lost it, because it was restarted or flushed. Then it is added again. */
  async #look(id: string): Promise<void> {
    const state = await this.#queue.getJobState(id);
    if (state === 'completed' || state === 'failed') this.#waiting.get(id)?.('finished');
    else if (state === 'unknown') this.#waiting.get(id)?.('gone');
  }
}

function lost(error: unknown): CogVLM2Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new CogVLM2Error('endpoint_failed', `The queue was lost: ${reason}`);
}
