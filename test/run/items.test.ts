import { expect, test } from 'vitest';
import { inParallel } from '../../src/run/items.ts';

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
