/**
 * Limits the number of requests, including those whose body is still arriving. A request is admitted before its body is read, so
 * memory for waiting requests is bounded. The scheduler of the engine decides the order of the answers.
 */
import { ApiError, DO_NOT_RETRY } from './api-error.ts';

export interface AdmissionLimits {
  /** Number of answers that the engine makes at the same time. */
  parallel: number;
  /** Maximum number of requests that wait for the engine. */
  maxWaiting: number;
  /** Maximum number of requests of one client, including waiting ones. */
  maxPerClient: number;
}

/** Additional places for clients without requests, as a share of `maxWaiting`, so that one client cannot use all places. */
export const RESERVE_SHARE = 0.25;

/** A request that was admitted. */
export interface Admitted {
  /** Frees the place of the request. Further calls do nothing. */
  leave(): void;
}

export class Admission {
  readonly limits: AdmissionLimits;
  readonly #byClient = new Map<string, number>();
  #total = 0;

  constructor(limits: AdmissionLimits) {
    this.limits = limits;
  }

  /** Number of admitted requests. */
  get total(): number {
    return this.#total;
  }

  /** @throws ApiError queue_full, rate_limited */
  enter(client: string): Admitted {
    const own = this.#byClient.get(client) ?? 0;
    this.#check(own);
    this.#byClient.set(client, own + 1);
    this.#total++;
    let left = false;
    return {
      leave: () => {
        if (left) return;
        left = true;
        this.#total--;
        const rest = (this.#byClient.get(client) ?? 1) - 1;
        if (rest === 0) this.#byClient.delete(client);
        else this.#byClient.set(client, rest);
      },
    };
  }

  #check(own: number): void {
    const { parallel, maxWaiting, maxPerClient } = this.limits;
    if (own >= maxPerClient) {
      throw new ApiError(
        'rate_limited',
        `This client has ${own} requests; the limit is ${maxPerClient} (--max-per-client).`,
        { headers: { 'retry-after': '1' } },
      );
    }
    const reserve = own === 0 ? Math.floor(maxWaiting * RESERVE_SHARE) : 0;
    if (this.#total >= parallel + maxWaiting + reserve) {
      throw new ApiError(
        'queue_full',
        `The server has ${this.#total} requests; the limit is ${parallel} running and ${maxWaiting} waiting (--slots, --max-queue). Try again later.`,
        { headers: { 'retry-after': '5', ...DO_NOT_RETRY } },
      );
    }
  }
}
