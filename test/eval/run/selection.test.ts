/** Which questions a run selects. */
import { expect, test } from 'vitest';
import { select } from '../../../src/eval/run/evaluate.ts';

const questions = Array.from({ length: 40 }, (_, rowNumber) => ({
  id: String(rowNumber),
  rowNumber,
  group: String(rowNumber % 20),
}));
const ids = (selection: Parameters<typeof select>[1]) => select(questions, selection).map(({ id }) => id);

test('a limit counts a group of questions once, and keeps the group together', () => {
  expect(ids({ limit: 2 })).toEqual(['0', '1', '20', '21']);
  expect(ids({ limit: 1, seed: 5 }).length).toBe(2);
});

test('a seed gives the same sample each time, and a larger limit contains the smaller sample', () => {
  const few = ids({ limit: 5, seed: 1 });
  expect(ids({ limit: 5, seed: 1 })).toEqual(few);
  expect(few).not.toEqual(ids({ limit: 5 }));
  expect(few).not.toEqual(ids({ limit: 5, seed: 2 }));
  expect(ids({ limit: 9, seed: 1 })).toEqual(expect.arrayContaining(few));
});

test('the shards have all questions, each once', () => {
  const parts = [1, 2, 3].map((index) => ids({ limit: 11, seed: 3, shard: { index, count: 3 } }));
  expect(parts.flat().sort()).toEqual(ids({ limit: 11, seed: 3 }).sort());
});
