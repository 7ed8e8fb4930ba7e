/** Which part of the KV memory a request gets: the policy, and nothing else. */

export interface SlotFacts {
  isBusy: boolean;
  /** Tokens that it has room for. */
  capacity: number;
  /** Tokens that are in it. */
  rows: number;
  /** How many of them the request begins with. */
  prefix: number;
  /** Larger is later. */
  lastUsed: number;
}

export interface KvLimits {
  slots: number;
  /** Sum of all capacities. */
  kvTokens: number;
}

/** An idle slot to take as it is, or a new one in place of some idle ones. */
export type SlotChoice = { take: number } | { capacity: number; evict: number[] };

/** Rows of a new slot come in such steps, so that the next turn of a conversation often fits into it. */
const capacityStep = 256;

/**
 * An idle slot is taken when at least half of what it holds is the request's own beginning, the longest first: then
 * little is lost. Otherwise a new slot is made while there is room, so that other conversations keep theirs, and
 * then the slot goes that was not used for the longest time.
 * @param tokens of prompt and answer, at most `limits.kvTokens`
 * @returns null when the request must wait for a busy slot.
 */
export function chooseSlot(
  slots: readonly SlotFacts[],
  tokens: number,
  { slots: most, kvTokens }: KvLimits,
): SlotChoice | null {
  const idle = slots.map((slot, index) => ({ ...slot, index })).filter(({ isBusy }) => !isBusy);
  const own = idle
    .filter(({ capacity, prefix, rows }) => capacity >= tokens && prefix > 1 && prefix * 2 >= rows)
    .sort((a, b) => b.prefix - a.prefix)[0];
  if (own) return { take: own.index };
  const capacity = Math.min(kvTokens, Math.ceil(tokens / capacityStep) * capacityStep);
  let free = kvTokens - slots.reduce((sum, slot) => sum + slot.capacity, 0);
  if (slots.length < most && free >= capacity) return { capacity, evict: [] };
  // Whatever the request could take over from goes last.
  const oldest = idle.sort((a, b) => a.prefix - b.prefix || a.lastUsed - b.lastUsed);
  const large = oldest.find((slot) => slot.capacity >= tokens);
  if (large) return { take: large.index };
  const evict: number[] = [];
  for (const { index, capacity: freed } of oldest) {
    evict.push(index);
    free += freed;
    if (slots.length - evict.length < most && free >= capacity) return { capacity, evict };
  }
  return null;
}
