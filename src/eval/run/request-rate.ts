/**
 * Decides when a request may start: a maximum number in a minute, and none while the server wants a pause. All parallel requests
 * share one `RequestRate`. They are spaced evenly, because servers also count in periods shorter than a minute.
 */

import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds. */
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<unknown>;
}

const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

export class RequestRate {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  /** The earliest start of the next request. */
  #nextMs = Number.NEGATIVE_INFINITY;

  /** @param perMinute undefined for no limit */
  constructor(perMinute: number | undefined, clock: Clock = systemClock) {
    this.#intervalMs = perMinute === undefined ? 0 : 60_000 / perMinute;
    this.#clock = clock;
  }

  /** Waits until a request may start. An abort throws. */
  async turn(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const now = this.#clock.now();
      if (now >= this.#nextMs) {
        this.#nextMs = now + this.#intervalMs;
        return;
      }
      // Another request may take the turn meanwhile, or the server may want a longer pause.
      await this.#clock.sleep(this.#nextMs - now, signal);
    }
  }

  /** No request starts during this time. Returns false if a pause that ends later is in progress. */
  pause(ms: number): boolean {
    const untilMs = this.#clock.now() + ms;
    if (untilMs <= this.#nextMs) return false;
    this.#nextMs = untilMs;
    return true;
  }
}
