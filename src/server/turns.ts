/**
 * Work that many clients can cause in the same moment: requests that arrive together, clients that leave together. Each
 * piece is small, and a hundred of them at once would block the event loop. So each has a turn of the event loop.
 */

const waiting: (() => void)[] = [];

/** Does the work in a later turn of the event loop: in order, one piece in each turn. */
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
