/**
 * How many requests the server has at the same time, bodies that are still arriving included. A request is admitted
 * before its body is read, so what waits is bounded. The order of the answers is decided in the engine's scheduler.
 */
import { ApiError, DO_NOT_RETRY } from './api-error.ts';

export interface AdmissionLimits {
  /** Answers that the engine makes at the same time. */
  parallel: number;
  /** Requests that may wait for the engine. */
  maxWaiting: number;
  /** Requests that one client may have, waiting ones included. */
  maxPerClient: number;
}

/** Further requests for clients that have none, as a share of `maxWaiting`: one client alone cannot fill the server. */
export const RESERVE_SHARE = 0.25;

/** A request that was admitted. */
export interface Admitted {
  /** Makes room for another request. Further calls do nothing. */
  leave(): void;
}

export class Admission {
  readonly limits: AdmissionLimits;
  readonly #byClient = new Map<string, number>();
  #total = 0;

  constructor(limits: AdmissionLimits) {
    this.limits = limits;
  }

  /** Requests that are admitted now. */
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
