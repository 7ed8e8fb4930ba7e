import { CogVLM2Error } from '../errors.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { Prompt } from '../text/prompt.ts';
import { chooseCache, type KvLimits } from './policies.ts';

/** The KV cache of one sequence, and the record of its contents. */
export interface SequenceCache {
  readonly cache: KvCache;
  rows: CachedRows;
}

interface Entry extends SequenceCache {
  isInUse: boolean;
  lastUsed: number;
}

/**
 * The KV memory. A cache without a sequence keeps its rows as a prefix cache: a later prompt with the same beginning reuses it or
 * copies from it.
 */
export class KvPool {
  readonly limits: KvLimits;
  readonly #newCache: (capacity: number) => KvCache;
  #entries: Entry[] = [];
  #uses = 0;

  constructor(limits: KvLimits, newCache: (capacity: number) => KvCache) {
    this.limits = limits;
    this.#newCache = newCache;
  }

  /** Capacity of the caches in tokens: of running sequences, and of all. */
  get tokens(): { inUse: number; allocated: number } {
    const sum = (entries: readonly Entry[]) =>
      entries.reduce((total, { cache }) => total + cache.capacity, 0);
    return { inUse: sum(this.#entries.filter(({ isInUse }) => isInUse)), allocated: sum(this.#entries) };
  }

  /**
   * A cache for a sequence of up to `tokens` tokens, or null if there is no room for it now.
   * @throws CogVLM2Error `out_of_memory`.
   */
  acquire(prompt: CachePrompt, tokens: number): SequenceCache | null {
    const facts = this.#entries.map(({ cache, rows, isInUse, lastUsed }) => ({
      isInUse,
      capacity: cache.capacity,
      rows: rows.ids.length,
      prefix: commonPrefix(rows, prompt),
      lastUsed,
    }));
    const choice = chooseCache(facts, tokens, this.limits);
    if (choice === null) return null;
    if ('use' in choice) return this.#use(this.#entries[choice.use]);
    for (const index of choice.evict) this.#entries[index]?.cache[Symbol.dispose]();
    this.#entries = this.#entries.filter((_, index) => !choice.evict.includes(index));
    const cache = this.#newCache(choice.capacity);
    this.#entries.push({ cache, rows: rowsOf(prompt, 0), isInUse: false, lastUsed: 0 });
    return this.#use(this.#entries.at(-1));
  }

  release(cache: SequenceCache): void {
    const entry = this.#entries.find((each) => each === cache);
    if (!entry) return;
    entry.isInUse = false;
    entry.lastUsed = ++this.#uses;
  }

  /** The cache with the longest prefix of a prompt. */
  longestPrefix(prompt: CachePrompt): { cache: SequenceCache | null; length: number } {
    let best: { cache: SequenceCache | null; length: number } = { cache: null, length: 0 };
    for (const cache of this.#entries) {
      const length = commonPrefix(cache.rows, prompt);
      if (length > best.length) best = { cache, length };
    }
    return best;
  }

  /** Copies the first `length` rows of a prompt from one cache to another, which is far cheaper than computing them. */
  async copyPrefix(
    from: SequenceCache,
    into: SequenceCache,
    prompt: CachePrompt,
    length: number,
  ): Promise<void> {
    const own = commonPrefix(into.rows, prompt);
    into.rows = rowsOf(prompt, own);
    into.cache.length = own;
    // The copy is queued on the device before either cache can change.
    await into.cache.copyFrom(from.cache, length);
    into.rows = rowsOf(prompt, length);
  }

  #use(entry: Entry | undefined): Entry {
    if (!entry) throw new CogVLM2Error('engine_bug', 'The KV policy chose a cache that does not exist.');
    entry.isInUse = true;
    return entry;
  }
}

/** The contents of a KV cache: the ids of its rows, the image of its image rows, and the adapter. */
export interface CachedRows {
  ids: number[];
  imageKey: string | null;
  adapter: string;
}

/** A prompt in the form that prefix caches compare. */
export interface CachePrompt {
  prompt: Prompt;
  imageKey: string | null;
  /** Name of the adapter; '' without one. */
  adapter: string;
}

/**
 * The number of prompt rows that the cache has. The last row of a prompt is always computed again, because its logits are needed.
 * An image is kept completely or not at all.
 */
export function commonPrefix(cached: CachedRows, { prompt, imageKey, adapter }: CachePrompt): number {
  if (cached.adapter !== adapter) return 0;
  const { ids, image } = prompt;
  const most = Math.min(cached.ids.length, ids.length - 1);
  let length = 0;
  while (length < most && cached.ids[length] === ids[length]) length++;
  if (cached.imageKey === imageKey && (!image || length >= image.end)) return length;
  // Both begin with bos. Then the images differ, or only one has an image.
  return Math.min(length, 1);
}

/** The contents of a cache after the first `length` rows of a prompt. */
export function rowsOf({ prompt, imageKey, adapter }: CachePrompt, length: number): CachedRows {
  return { ids: Array.from(prompt.ids.subarray(0, length)), imageKey: length > 1 ? imageKey : null, adapter };
}
