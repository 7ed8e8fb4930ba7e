import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { joinInSteps } from '../../../src/server/body/chunks.ts';

it('joins the chunks of a large body, and other work runs in between', async () => {
  const whole = randomBytes(8 * 2 ** 20 + 3);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += 16_384) chunks.push(whole.subarray(at, at + 16_384));
  let turns = 0;
  let isJoining = true;
  const count = () => {
    turns++;
    if (isJoining) setImmediate(count);
  };
  setImmediate(count);
  const joined = await joinInSteps(chunks);
  isJoining = false;
  expect(Buffer.from(joined).equals(whole)).toBe(true);
  expect(turns).toBeGreaterThanOrEqual(8);
});

it('joins nothing, and one chunk', async () => {
  expect(await joinInSteps([])).toHaveLength(0);
  expect([...(await joinInSteps([Uint8Array.of(1, 2)]))]).toEqual([1, 2]);
});
