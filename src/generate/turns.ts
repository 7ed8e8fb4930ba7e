/** Who has the device next, and for how long: the policy of the batch, and nothing else. */

/** Longer work that gives the device back between its pieces: a picture being encoded, a prompt being run. */
export interface Work {
  /** Time that it has had so far. */
  servedMs: number;
}

/**
 * Tokens and longer work have equal time while both wait, and so the text of others flows on at half its speed under
 * a long picture. Of the longer works, the one that has had the least goes first: a short question is not held up
 * behind a picture, and several pictures share.
 * @param decoding sequences that wait for their next token; one step serves them all
 * @param leadMs how much more time longer work has had than tokens since both have been waiting
 * @returns `decode`, the index of the work whose piece is next, or null when nothing waits
 */
export function nextTurn(decoding: number, works: readonly Work[], leadMs: number): 'decode' | number | null {
  if (decoding > 0 && (works.length === 0 || leadMs > 0)) return 'decode';
  if (works.length === 0) return null;
  let next = 0;
  for (const [i, { servedMs }] of works.entries()) if (servedMs < (works[next]?.servedMs ?? 0)) next = i;
  return next;
}

/** The lead after a turn of `tookMs`: it is kept only while both kinds wait. */
export function leadAfter(leadMs: number, turn: 'decode' | number, tookMs: number, both: boolean): number {
  if (!both) return 0;
  return turn === 'decode' ? leadMs - tookMs : leadMs + tookMs;
}

/** Least rows of a chunk: fewer do not repay reading the weights. */
const leastRows = 16;
/** Nobody notices to have waited so long. */
const unnoticedMs = 50;
const stepsToWait = 4;

/**
 * About how many rows of a prompt are run in one turn: all that a chunk may have when nobody waits; otherwise as many
 * as take no longer than a few decode steps, so that the others wait little.
 * @param rowMs what a row of a prompt took lately; 0 when it is not known yet
 */
export function chunkRows(othersWait: boolean, stepMs: number, rowMs: number, mostRows: number): number {
  if (!othersWait) return mostRows;
  if (rowMs === 0) return leastRows;
  const waitMs = Math.max(unnoticedMs, stepsToWait * stepMs);
  return Math.max(leastRows, Math.min(mostRows, Math.floor(waitMs / rowMs)));
}
