/** Which KV memory a sequence gets: the policy, and nothing else. */

/** What is known of one KV cache. */
export interface CacheFacts {
  isInUse: boolean;
  /** Tokens that it has room for. */
  capacity: number;
  /** Tokens that are in it. */
  rows: number;
  /** How many of them the sequence's prompt begins with. */
  prefix: number;
  /** Larger is later. */
  lastUsed: number;
}

export interface KvLimits {
  /** Most sequences that run at the same time. */
  sequences: number;
  /** Sum of all capacities. */
  kvTokens: number;
}

/** An idle cache to use as it is, or a new one after some idle ones are freed. */
export type CacheChoice = { use: number } | { capacity: number; evict: number[] };

/** Capacities are multiples of this, so that the next turn of a conversation often fits into the same cache. */
const capacityStep = 256;

/**
 * An idle cache is used when at least half of its content is a prefix of the prompt, the longest prefix first: then
 * little is lost. Otherwise a new cache is made while there is room, so that other conversations keep theirs, and
 * finally the least recently used cache is evicted.
 * @param tokens of prompt and answer, at most `limits.kvTokens`
 * @returns null when the sequence must wait for a cache that is in use.
 */
export function chooseCache(
  caches: readonly CacheFacts[],
  tokens: number,
  { sequences, kvTokens }: KvLimits,
): CacheChoice | null {
  const idle = caches.map((cache, index) => ({ ...cache, index })).filter(({ isInUse }) => !isInUse);
  const own = idle
    .filter(({ capacity, prefix, rows }) => capacity >= tokens && prefix > 1 && prefix * 2 >= rows)
    .sort((a, b) => b.prefix - a.prefix)[0];
  if (own) return { use: own.index };
  const capacity = Math.min(kvTokens, Math.ceil(tokens / capacityStep) * capacityStep);
  let free = kvTokens - caches.reduce((sum, cache) => sum + cache.capacity, 0);
  if (caches.length < sequences && free >= capacity) return { capacity, evict: [] };
  // Caches with the longest common prefix go last.
  const oldest = idle.sort((a, b) => a.prefix - b.prefix || a.lastUsed - b.lastUsed);
  const large = oldest.find((cache) => cache.capacity >= tokens);
  if (large) return { use: large.index };
  const evict: number[] = [];
  for (const { index, capacity: freed } of oldest) {
    evict.push(index);
    free += freed;
    if (caches.length - evict.length < sequences && free >= capacity) return { capacity, evict };
  }
  return null;
}

/**
 * Whether a sequence waits for another one that came earlier, instead of running the same rows: when more than half of
 * the rows that it needs are coming.
 * @param length rows of the prompt
 * @param have rows of it that some cache has already
 * @param coming rows of it that the other sequence is about to run
 */
export function isWorthWaiting(length: number, have: number, coming: number): boolean {
  return (coming - have) * 2 > length - have;
}
