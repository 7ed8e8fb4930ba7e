/** Which questions a run asks. Rotations of one question of MMBench stay together, or none of them would count. */
import { createHash } from 'node:crypto';
import type { PlannedQuestion } from './data/data-set.ts';
import { groupBy } from './group-by.ts';

export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

export interface Selection {
  /** At most so many questions. */
  readonly limit?: number | undefined;
  /** Draws those of the limit; without it they are the first. A larger limit keeps what a smaller one drew. */
  readonly seed?: number | undefined;
  readonly shard?: Shard | undefined;
}

/** In the order of the data. */
export function select(
  questions: readonly PlannedQuestion[],
  { limit, seed, shard }: Selection,
): PlannedQuestion[] {
  const groups = [...groupBy(questions, ({ group }) => group)];
  const drawn = seed === undefined || limit === undefined ? groups : groups.sort(byHash(seed));
  return drawn
    .slice(0, limit)
    .filter((_, i) => shard === undefined || i % shard.count === shard.index - 1)
    .flatMap(([, members]) => members)
    .sort((left, right) => left.place - right.place);
}

function byHash(seed: number): (left: [string, unknown], right: [string, unknown]) => number {
  const hash = ([group]: [string, unknown]) => createHash('sha256').update(`${seed} ${group}`).digest();
  return (left, right) => Buffer.compare(hash(left), hash(right));
}
