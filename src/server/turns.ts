/**
 * Small work that many clients can cause at the same moment: requests that arrive together, clients that disconnect together.
 * A hundred pieces at once would block the event loop, so each piece runs in its own turn of the event loop.
 */

const waiting: (() => void)[] = [];

/** Runs the work in a later turn of the event loop: in the order of the calls, one piece per turn. */
export function inTurn(work: () => void): void {
  waiting.push(work);
  if (waiting.length === 1) setImmediate(next);
}

function next(): void {
  try {
    waiting[0]?.();
  } finally {
    waiting.shift();
    if (waiting.length > 0) setImmediate(next);
  }
}
