/** Work that pauses now and then, so that it can be done at once or in turns with other work. */

/** It yields where it may pause: at most a millisecond or two of work apart. */
export type Work<T> = Generator<void, T>;

/** @throws what the work throws */
export function doAtOnce<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Time after which the event loop has its turn. */
const turnMs = 5;

let previous: Promise<unknown> = Promise.resolve();

/**
 * Works for some milliseconds in each turn of the event loop. One work is done after the other, so a turn does not grow with
 * their number. @throws what the work throws
 */
export function doInTurns<T>(work: Work<T>): Promise<T> {
  const result = previous.then(() => turnsOf(work));
  previous = result.catch(() => {});
  return result;
}

async function turnsOf<T>(work: Work<T>): Promise<T> {
  for (;;) {
    await new Promise(setImmediate);
    const end = performance.now() + turnMs;
    do {
      const { done, value } = work.next();
      if (done) return value;
    } while (performance.now() < end);
  }
}
