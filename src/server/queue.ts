/**
 * Who is answered next. A request takes its place as soon as it arrives, before its body is read, so what waits is
 * bounded. Turns go round the clients: one that sends a hundred requests does not keep the others waiting.
 */
import { ApiError, DO_NOT_RETRY } from './api-error.ts';

export interface QueueLimits {
  /** Answers made at the same time. */
  parallel: number;
  /** Requests that may wait for their turn. */
  maxWaiting: number;
  /** Requests that one client may have, waiting ones included. */
  maxPerClient: number;
}

/** Places beyond `maxWaiting` for clients without any request, as a share of it. */
const RESERVE_SHARE = 0.25;

/** A request's place in the queue, from its arrival to its end. */
export interface Place {
  /** Resolves when it is this request's turn; rejects with the signal's reason. */
  turn(signal: AbortSignal): Promise<void>;
  /** Gives the place free, whatever became of the request. */
  leave(): void;
}

interface Client {
  inside: number;
  running: number;
  /** Rises with each turn of anybody: who has the smallest was served longest ago. */
  lastTurn: number;
}

interface Waiting {
  client: Client;
  go: () => void;
}

export class FairQueue {
  readonly limits: QueueLimits;
  readonly #clients = new Map<string, Client>();
  readonly #waiting: Waiting[] = [];
  #inside = 0;
  #running = 0;
  #turns = 0;

  constructor(limits: QueueLimits) {
    this.limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  /** Those whose turn has not come, bodies that are still being read included. */
  get waiting(): number {
    return this.#inside - this.#running;
  }

  /** @throws ApiError queue_full, rate_limited */
  enter(name: string): Place {
    const client = this.#clients.get(name) ?? { inside: 0, running: 0, lastTurn: 0 };
    this.#check(client);
    this.#clients.set(name, client);
    client.inside++;
    this.#inside++;
    let ran = false;
    let left = false;
    return {
      turn: async (signal) => {
        await this.#turn(client, signal);
        ran = true;
      },
      leave: () => {
        if (left) return;
        left = true;
        this.#inside--;
        if (--client.inside === 0) this.#clients.delete(name);
        if (!ran) return;
        client.running--;
        this.#running--;
        this.#advance();
      },
    };
  }

  #check({ inside }: Client): void {
    const { parallel, maxWaiting, maxPerClient } = this.limits;
    if (inside >= maxPerClient) {
      throw new ApiError(
        'rate_limited',
        `${inside} requests of this client are being answered or wait; the limit is ${maxPerClient} (--max-per-client).`,
        { headers: { 'retry-after': '1' } },
      );
    }
    // The reserve is for clients that have nothing here, so that one client alone cannot fill the queue.
    const reserve = inside === 0 ? Math.floor(maxWaiting * RESERVE_SHARE) : 0;
    if (this.#inside >= parallel + maxWaiting + reserve) {
      throw new ApiError(
        'queue_full',
        `${this.#running} requests are being answered and ${this.waiting} wait; the limit is ${maxWaiting} waiting (--max-queue). Try again later.`,
        { headers: { 'retry-after': '5', ...DO_NOT_RETRY } },
      );
    }
  }

  #turn(client: Client, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason);
      };
      const entry: Waiting = {
        client,
        go: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(entry);
      this.#advance();
    });
  }

  #advance(): void {
    while (this.#running < this.limits.parallel) {
      const [entry] = this.#waiting.splice(nextOf(this.#waiting.map(({ client }) => client)), 1);
      if (entry === undefined) return;
      entry.client.running++;
      entry.client.lastTurn = ++this.#turns;
      this.#running++;
      entry.go();
    }
  }
}

/** Whose turn it is: of the clients with the fewest answers under way, the one served longest ago; its first request. */
export function nextOf(waiting: readonly Pick<Client, 'running' | 'lastTurn'>[]): number {
  let best = 0;
  for (const [i, { running, lastTurn }] of waiting.entries()) {
    const chosen = waiting[best]!;
    if (running < chosen.running || (running === chosen.running && lastTurn < chosen.lastTurn)) best = i;
  }
  return best;
}
