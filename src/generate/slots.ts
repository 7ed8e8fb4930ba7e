import { CogVLM2Error } from '../errors.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { Prompt } from '../text/prompt.ts';
import { FairQueue } from './fair-queue.ts';
import { type CachedRows, commonPrefix, rowsOf } from './prefix.ts';
import { chooseSlot, type KvLimits } from './slot-choice.ts';

/** One sequence's KV cache and the record of what is in it. */
export interface Slot {
  cache: KvCache;
  rows: CachedRows;
}

/** What a request needs to know its place. */
export interface SlotRequest {
  client: string;
  prompt: Prompt;
  imageKey: string | null;
  /** Of prompt and answer. */
  tokens: number;
  signal: AbortSignal;
}

interface Waiting {
  request: SlotRequest;
  resolve: (lease: SlotLease) => void;
  reject: (reason: unknown) => void;
}

/** A request's slot until it is disposed; the slot then keeps what it holds for whoever begins alike. */
export class SlotLease {
  readonly slot: Slot;
  readonly request: SlotRequest;
  /** Later leases have larger ones. */
  readonly order: number;
  /** Resolves when the prompt is in the cache, or will never be. */
  readonly prefilled: Promise<void>;
  isPrefilled = false;
  readonly #resolve: () => void;
  readonly #release: () => void;

  constructor(slot: Slot, request: SlotRequest, order: number, release: () => void) {
    this.slot = slot;
    this.request = request;
    this.order = order;
    this.#release = release;
    let resolve = () => {};
    this.prefilled = new Promise((done) => {
      resolve = done;
    });
    this.#resolve = resolve;
  }

  onProgress({ done, total }: { done: number; total: number }): void {
    if (done === total) this.#endPrefill();
  }

  #endPrefill(): void {
    this.isPrefilled = true;
    this.#resolve();
  }

  [Symbol.dispose](): void {
    this.#endPrefill();
    this.#release();
  }
}

export interface SlotLimits extends KvLimits {
  /** Most requests that wait. */
  waiting: number;
}

/** The KV memory, shared by the requests that run; the others wait in line. */
export class Slots {
  readonly limits: SlotLimits;
  readonly #newCache: (capacity: number) => KvCache;
  readonly #queue = new FairQueue<Waiting>();
  #slots: { slot: Slot; lease: SlotLease | null; lastUsed: number }[] = [];
  #uses = 0;

  constructor(limits: SlotLimits, newCache: (capacity: number) => KvCache) {
    this.limits = limits;
    this.#newCache = newCache;
  }

  get running(): number {
    return this.#slots.filter(({ lease }) => lease !== null).length;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Tokens that the caches have room for, idle ones included. */
  get kvTokens(): number {
    return this.#slots.reduce((sum, { slot }) => sum + slot.cache.capacity, 0);
  }

  /** @throws CogVLM2Error `queue_full`, `aborted`, `out_of_memory`. */
  acquire(request: SlotRequest): Promise<SlotLease> {
    return new Promise((resolve, reject) => {
      const lease = this.#queue.size === 0 ? this.#place(request) : null;
      if (lease) return resolve(lease);
      const { waiting: most } = this.limits;
      if (this.#queue.size >= most) {
        throw new CogVLM2Error(
          'queue_full',
          `${this.running} questions are being answered and ${most} wait, which is the limit. Ask again later.`,
        );
      }
      const waiting: Waiting = { request, resolve, reject };
      this.#queue.push(request.client, waiting);
      request.signal.addEventListener('abort', () => {
        this.#queue.remove(waiting);
        const { reason: cause } = request.signal;
        reject(new CogVLM2Error('aborted', 'Stopped while it waited for its turn.', { cause }));
      });
    });
  }

  /**
   * Brings the longest beginning that any slot has of the lease's prompt into its own slot, for a copy costs far less
   * than to run it. Where a request that came earlier is about to run most of the same rows, they are waited for.
   */
  async share(lease: SlotLease): Promise<void> {
    const { slot, request } = lease;
    const { prompt, imageKey, signal } = request;
    while (!signal.aborted) {
      const own = commonPrefix(slot.rows, prompt, imageKey);
      const [donor] = this.#slots
        .map((other) => ({ slot: other.slot, prefix: commonPrefix(other.slot.rows, prompt, imageKey) }))
        .sort((a, b) => b.prefix - a.prefix);
      const best = Math.max(own, donor?.prefix ?? 0);
      const coming = this.#slots.find((other) => other.lease && isWorthWaiting(other.lease, lease, best));
      if (coming?.lease) {
        await Promise.race([coming.lease.prefilled, aborted(signal)]);
        continue;
      }
      if (!donor || donor.prefix <= own) return;
      // The graph of the copy is in the engine's queue before anyone else can change either slot.
      slot.rows = rowsOf(prompt, own, imageKey);
      slot.cache.length = own;
      await slot.cache.copyFrom(donor.slot.cache, donor.prefix);
      slot.rows = rowsOf(prompt, donor.prefix, imageKey);
      return;
    }
  }

  /** Ends all that wait. The caches are freed with the engine. */
  rejectAll(reason: unknown): void {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) next.reject(reason);
  }

  /** Gives the request a slot if there is one, and frees those that it takes the place of. */
  #place(request: SlotRequest): SlotLease | null {
    const facts = this.#slots.map(({ slot, lease, lastUsed }) => ({
      isBusy: lease !== null,
      capacity: slot.cache.capacity,
      rows: slot.rows.ids.length,
      prefix: commonPrefix(slot.rows, request.prompt, request.imageKey),
      lastUsed,
    }));
    const choice = chooseSlot(facts, request.tokens, this.limits);
    if (choice === null) return null;
    if ('take' in choice) return this.#lend(choice.take, request);
    for (const index of choice.evict) this.#slots[index]?.slot.cache[Symbol.dispose]();
    this.#slots = this.#slots.filter((_, index) => !choice.evict.includes(index));
    const slot = { cache: this.#newCache(choice.capacity), rows: { ids: [], imageKey: null } };
    this.#slots.push({ slot, lease: null, lastUsed: 0 });
    return this.#lend(this.#slots.length - 1, request);
  }

  #lend(index: number, request: SlotRequest): SlotLease {
    const entry = this.#slots[index];
    if (!entry) throw new CogVLM2Error('engine_bug', `There is no slot ${index}.`);
    const order = ++this.#uses;
    entry.lease = new SlotLease(entry.slot, request, order, () => {
      entry.lease = null;
      entry.lastUsed = ++this.#uses;
      this.#admit();
    });
    return entry.lease;
  }

  #admit(): void {
    for (let next = this.#queue.first(); next; next = this.#queue.first()) {
      try {
        const lease = this.#place(next.request);
        if (!lease) return;
        this.#queue.shift();
        next.resolve(lease);
      } catch (error) {
        this.#queue.shift();
        next.reject(error);
      }
    }
  }
}

/** Whether `other`, which came before `lease`, is about to run more than half of the rows that are missing there. */
function isWorthWaiting(other: SlotLease, lease: SlotLease, have: number): boolean {
  if (other.isPrefilled || other.order >= lease.order) return false;
  const { prompt, imageKey } = lease.request;
  const coming = { ids: Array.from(other.request.prompt.ids), imageKey: other.request.imageKey };
  return (commonPrefix(coming, prompt, imageKey) - have) * 2 > prompt.ids.length - have;
}

/** Settles when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
