/** Which work the device does next, and how much of it: the policy, and nothing else. */

/** Work of many pieces, between which others may run: an image in the vision tower, or a prompt. */
export interface LongWork {
  /** Device time that it has had. */
  servedMs: number;
}

/**
 * Decode steps and long work get equal time while both wait, so the others' text goes on at half its speed while a large
 * image is encoded. Of several long works, the one that has had the least time is next: a short prompt does not wait for
 * a whole image.
 * @param decoding sequences that wait for their next token; one decode step serves all of them
 * @param leadMs how much more time long work has had than decode steps since both have been waiting
 * @returns `decode`, the index of the work whose next piece is run, or null when nothing waits
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

/** The lead after `done` took `tookMs`. It counts only while both kinds of work wait. */
export function leadAfter(leadMs: number, done: 'decode' | number, tookMs: number, both: boolean): number {
  if (!both) return 0;
  return done === 'decode' ? leadMs - tookMs : leadMs + tookMs;
}

/** Fewest rows of a chunk: fewer are not worth reading the weights. */
const leastRows = 16;
/** A delay that nobody notices. */
const unnoticedMs = 50;
const stepsToWait = 4;

/**
 * About how many rows of a prompt are run at once: as many as allowed when nothing else waits; otherwise as many as take
 * no longer than a few decode steps.
 * @param rowMs recent time of one row of a prompt; 0 when unknown
 */
export function chunkRows(othersWait: boolean, stepMs: number, rowMs: number, mostRows: number): number {
  if (!othersWait) return mostRows;
  if (rowMs === 0) return leastRows;
  const waitMs = Math.max(unnoticedMs, stepsToWait * stepMs);
  return Math.max(leastRows, Math.min(mostRows, Math.floor(waitMs / rowMs)));
}
