/** The decisions of the scheduler, as pure functions: admission, KV memory, and what the device runs next. */

/** The client of a queued sequence. */
export interface ClientLoad {
  /** Sequences of the client that are running. */
  running: number;
  /** When its last sequence was admitted: larger is later, 0 is never. */
  lastAdmission: number;
}

/**
 * Round-robin over the clients: of those with the fewest running sequences, the one admitted longest ago; of its sequences the
 * first. So a client with a hundred requests does not delay the others.
 * @param queued the client of each queued sequence, in the order of arrival
 * @returns an index into `queued`, or -1 if the queue is empty
 */
export function nextQueued(queued: readonly ClientLoad[]): number {
  let best = -1;
  for (const [i, { running, lastAdmission }] of queued.entries()) {
    const chosen = queued[best];
    const isBetter =
      chosen === undefined ||
      running < chosen.running ||
      (running === chosen.running && lastAdmission < chosen.lastAdmission);
    if (isBetter) best = i;
  }
  return best;
}

// The KV memory of a sequence.

/** The state of one KV cache. */
export interface CacheFacts {
  isInUse: boolean;
  /** Capacity in tokens. */
  capacity: number;
  /** Tokens in the cache. */
  rows: number;
  /** How many of them are a prefix of the sequence's prompt. */
  prefix: number;
  /** Larger is later. */
  lastUsed: number;
}

export interface KvLimits {
  /** Maximum number of running sequences. */
  sequences: number;
  /** Sum of all capacities. */
  kvTokens: number;
}

/** Limits of the scheduler. */
export interface SchedulerLimits extends KvLimits {
  /** Maximum length of the queue. */
  queued: number;
}

/** Reuse an idle cache, or create one after freeing some idle caches. */
export type CacheChoice = { use: number } | { capacity: number; evict: number[] };

/** Capacities are multiples of this, so that the next turn of a conversation often fits into the same cache. */
const capacityStep = 256;

/**
 * Reuses an idle cache if at least half of its content is a prefix of the prompt, the longest prefix first: then little is lost.
 * Otherwise creates a cache if there is room, so that other conversations keep theirs. Otherwise evicts the least recently used
 * cache.
 * @param tokens of prompt and answer, at most `limits.kvTokens`
 * @returns null if the sequence must wait for a cache that is in use.
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
  // Caches with the longest common prefix are evicted last.
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
 * Whether a sequence waits for an earlier one instead of computing the same rows: if more than half of the rows that it needs
 * will be available.
 * @param length rows of the prompt
 * @param have rows of it that some cache has
 * @param coming rows of it that the other sequence will compute
 */
export function isWorthWaiting(length: number, have: number, coming: number): boolean {
  return (coming - have) * 2 > length - have;
}

// The device's next work, and its size.

/** Work in many pieces, between which other work may run: an image in the vision tower, or a prompt. */
export interface LongWork {
  /** Device time used so far. */
  servedMs: number;
}

/**
 * Decode steps and long work get equal time while both wait, so text continues at half speed while a large image is encoded. Of
 * several long works, the one with the least time so far is next: a short prompt does not wait for a whole image.
 * @param decoding sequences that wait for their next token; one decode step serves all of them
 * @param leadMs how much more time long work got than decode steps since both have been waiting
 * @returns `decode`, the index of the work to continue, or null if nothing waits
 */
export function nextWork(
  decoding: number,
  works: readonly LongWork[],
  leadMs: number,
): 'decode' | number | null {
  if (decoding > 0 && (works.length === 0 || leadMs > 0)) return 'decode';
  if (works.length === 0) return null;
  let next = 0;
  for (const [i, { servedMs }] of works.entries()) if (servedMs < (works[next]?.servedMs ?? 0)) next = i;
  return next;
}

/** The lead after `done` took `tookMs`. It changes only while both kinds of work wait. */
export function leadAfter(leadMs: number, done: 'decode' | number, tookMs: number, both: boolean): number {
  if (!both) return 0;
  return done === 'decode' ? leadMs - tookMs : leadMs + tookMs;
}

/** Minimum rows of a chunk. With fewer rows, reading the weights would dominate. */
const leastRows = 16;
/** A delay that users do not notice. */
const unnoticedMs = 50;
const stepsToWait = 4;

/**
 * The approximate number of prompt rows in one chunk: the maximum if nothing else waits; otherwise as many as take no longer than
 * a few decode steps.
 * @param rowMs recent time of one row of a prompt; 0 when unknown
 */
export function chunkRows(othersWait: boolean, stepMs: number, rowMs: number, mostRows: number): number {
  if (!othersWait) return mostRows;
  if (rowMs === 0) return leastRows;
  const waitMs = Math.max(unnoticedMs, stepsToWait * stepMs);
  return Math.max(leastRows, Math.min(mostRows, Math.floor(waitMs / rowMs)));
}
