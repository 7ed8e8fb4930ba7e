/**
 * When a request may start: at most so many a minute, and not while the server wants a pause. All parallel requests share one
 * `RequestRate`. They are spaced evenly, because servers also count in periods shorter than a minute.
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

  /** No request starts for so long. Returns false if a pause that ends later is in progress. */
  pause(ms: number): boolean {
    const untilMs = this.#clock.now() + ms;
    if (untilMs <= this.#nextMs) return false;
    this.#nextMs = untilMs;
    return true;
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * How long a server wants a client to wait: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), or `Retry-After-Ms`. A
 * date is compared with the server's own clock, its `Date` header, because the clock of this machine may differ.
 * @param nowMs milliseconds since 1970, for a server without `Date`
 */
export function retryAfterMs(headers: Headers, nowMs = Date.now()): number | undefined {
  const text = (name: string) => [headers[name]].flat()[0]?.trim() ?? '';
  const ms = /^\d+(?:\.\d+)?$/.test(text('retry-after-ms')) ? Number(text('retry-after-ms')) : undefined;
  if (ms !== undefined) return ms;
  const written = text('retry-after');
  if (/^\d+(?:\.\d+)?$/.test(written)) return Number(written) * 1000;
  const until = /[a-z]/i.test(written) ? Date.parse(written) : Number.NaN;
  if (Number.isNaN(until)) return undefined;
  const serverNow = Date.parse(text('date'));
  return Math.max(0, until - (Number.isNaN(serverNow) ? nowMs : serverNow));
}
