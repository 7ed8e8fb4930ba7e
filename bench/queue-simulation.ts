/**
 * Simulates clients, one queue and many workers, without Redis and without a model. It prints how long a page waits and how long the
 * queue becomes. The rules are those of src/queue: a free worker takes the oldest job, a client keeps a window of jobs in the queue,
 * and the jobs of a dead worker return after `lostSeconds`. The time of Redis and of the network is not simulated.
 *
 *   npx tsx bench/queue-simulation.ts [--seed N]
 */
import { parseArgs } from 'node:util';
import { randomFrom } from '../src/generate/sampler.ts';

interface Load {
  name: string;
  pagesPerDay: number;
  /** Mean time of one page on one worker. */
  secondsPerPage: number;
  /** Average share of time in which workers are busy. */
  utilization: number;
  /** Hours of the day in which pages arrive; 24 is a constant rate. */
  hours: number;
  /** Mean time between failures of one worker. It returns after 60 s. */
  hoursBetweenDeaths: number;
}

interface Result {
  workers: number;
  waitP50: number;
  waitP95: number;
  longestQueue: number;
  /** Pages that ran again because their worker failed. */
  repeated: number;
}

const lostSeconds = 30;
const restartSeconds = 60;

/** A queue of events in the order of time (a binary heap). */
class Events<T> {
  readonly #heap: { at: number; what: T }[] = [];

  add(at: number, what: T): void {
    const heap = this.#heap;
    let i = heap.push({ at, what }) - 1;
    for (let parent = (i - 1) >> 1; i > 0 && heap[parent]!.at > heap[i]!.at; parent = (i - 1) >> 1) {
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  next(): { at: number; what: T } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < heap.length && heap[left]!.at < heap[least]!.at) least = left;
      if (right < heap.length && heap[right]!.at < heap[least]!.at) least = right;
      if (least === i) return first;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

type Event =
  | { type: 'arrival' }
  | { type: 'finished'; arrived: number }
  | { type: 'returned'; arrived: number }
  | { type: 'started' };

/** Simulates one day. Pages arrive at random (Poisson). Half of a page's time is constant, half is exponential. */
function simulate(load: Load, seed: number): Result {
  const random = randomFrom(seed);
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  const daySeconds = load.hours * 3600;
  const interval = daySeconds / load.pagesPerDay;
  const workers = Math.ceil(load.secondsPerPage / interval / load.utilization);
  const events = new Events<Event>();
  const waiting: number[] = [];
  const waits: number[] = [];
  let head = 0;
  let [free, longestQueue, repeated] = [workers, 0, 0];
  events.add(exponential(interval), { type: 'arrival' });
  for (let event = events.next(); event !== undefined; event = events.next()) {
    const { at, what } = event;
    if (what.type === 'arrival') {
      waiting.push(at);
      const following = at + exponential(interval);
      if (following < daySeconds) events.add(following, { type: 'arrival' });
    } else if (what.type === 'returned') waiting.push(what.arrived);
    else free++;
    while (free > 0 && head < waiting.length) {
      const arrived = waiting[head++]!;
      free--;
      const service = load.secondsPerPage / 2 + exponential(load.secondsPerPage / 2);
      const death = exponential(load.hoursBetweenDeaths * 3600);
      if (death < service) {
        repeated++;
        events.add(at + death + lostSeconds, { type: 'returned', arrived });
        events.add(at + death + restartSeconds, { type: 'started' });
        continue;
      }
      waits.push(at - arrived);
      events.add(at + service, { type: 'finished', arrived });
    }
    longestQueue = Math.max(longestQueue, waiting.length - head);
  }
  waits.sort((a, b) => a - b);
  const quantile = (share: number) => waits[Math.floor(share * (waits.length - 1))] ?? 0;
  return { workers, waitP50: quantile(0.5), waitP95: quantile(0.95), longestQueue, repeated };
}

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });
const base = { hours: 24, hoursBetweenDeaths: 100, utilization: 0.8 };
const loads: Load[] = [
  { ...base, name: 'one laptop', pagesPerDay: 240, secondsPerPage: 280 },
  { ...base, name: 'an office', pagesPerDay: 10_000, secondsPerPage: 280, hours: 10 },
  {
    ...base,
    name: 'the same, busier',
    pagesPerDay: 10_000,
    secondsPerPage: 280,
    hours: 10,
    utilization: 0.95,
  },
  { ...base, name: 'an archive', pagesPerDay: 100_000, secondsPerPage: 280 },
  { ...base, name: 'a page takes 10 s', pagesPerDay: 1_000_000, secondsPerPage: 10 },
  { ...base, name: 'a page takes 2 s', pagesPerDay: 1_000_000, secondsPerPage: 2 },
  { ...base, name: 'hourly failures', pagesPerDay: 1_000_000, secondsPerPage: 2, hoursBetweenDeaths: 1 },
];
console.log(
  'load                  pages/day  s/page  hours  busy  workers  wait p50  wait p95  longest queue  repeated',
);
for (const load of loads) {
  const { workers, waitP50, waitP95, longestQueue, repeated } = simulate(load, Number(values.seed));
  console.log(
    [
      load.name.padEnd(20),
      String(load.pagesPerDay).padStart(10),
      String(load.secondsPerPage).padStart(7),
      String(load.hours).padStart(6),
      `${Math.round(load.utilization * 100)}%`.padStart(5),
      String(workers).padStart(8),
      `${waitP50.toFixed(1)} s`.padStart(9),
      `${waitP95.toFixed(1)} s`.padStart(9),
      String(longestQueue).padStart(14),
      String(repeated).padStart(9),
    ].join(' '),
  );
}
