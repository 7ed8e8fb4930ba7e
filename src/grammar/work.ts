/** Long computations as generators. They run without a break, or in turns with other work. */

/** Yields after one or two milliseconds of work at most. */
export type Work<T> = Generator<void, T>;

/** @throws the error of the work */
export function doAtOnce<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Work in one turn of the event loop. */
const turnMs = 5;

let previous: Promise<unknown> = Promise.resolve();

/**
 * Works for some milliseconds in each turn of the event loop. Several computations run one after the other, so a turn does not
 * become longer with their number. @throws what the work throws
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
