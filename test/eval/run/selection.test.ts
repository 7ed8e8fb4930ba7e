/** Which questions a run selects, and which statuses of a server are tried again. */
import { expect, test } from 'vitest';
import { failureOf } from '../../../src/eval/run/chat-reply.ts';
import { select } from '../../../src/eval/run/evaluate.ts';
import { inParallel } from '../../../src/run/items.ts';

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

test('a busy server is asked again, a bad request fails alone, other statuses end the run', () => {
  expect([429, 500, 503, 408].map((status) => failureOf(status, '').action)).toEqual(Array(4).fill('retry'));
  expect([400, 413, 422].map((status) => failureOf(status, '').action)).toEqual(Array(3).fill('question'));
  expect([401, 403, 404].map((status) => failureOf(status, '').action)).toEqual(Array(3).fill('run'));
});

test('the concurrency is limited; after a failure the running items finish, and no item starts', async () => {
  async function* numbers() {
    for (let i = 0; i < 20; i++) yield i;
  }
  let [running, most, begun] = [0, 0, 0];
  const work = async (i: number) => {
    begun += 1;
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (i === 6) throw new Error('six');
  };
  await expect(inParallel(numbers(), 3, work)).rejects.toThrow('six');
  expect([running, most]).toEqual([0, 3]);
  expect(begun).toBeLessThan(12);
});
