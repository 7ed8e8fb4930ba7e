/** Which queued sequence is admitted next: the policy, and nothing else. */

/** What is known of the client of a queued sequence. */
export interface ClientLoad {
  /** Sequences of the client that are running. */
  running: number;
  /** When one of its sequences was admitted last: larger is later, 0 is never. */
  lastAdmission: number;
}

/**
 * Round-robin over the clients: of those with the fewest running sequences, the client that was admitted longest ago;
 * of its sequences the first. So a client that sends a hundred requests does not keep the others waiting.
 * @param queued the client of each queued sequence, in the order of arrival
 * @returns an index into `queued`, or -1 when nothing is queued
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
