import { expect, test } from 'vitest';
import { type Clock, RequestRate } from '../../../src/eval/run/request-rate.ts';

const signal = new AbortController().signal;

/** A clock that jumps to the end of the next sleep when all tasks sleep. */
function testClock() {
  let now = 0;
  const sleepers: { until: number; wake: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    sleep: (ms) => new Promise<void>((wake) => sleepers.push({ until: now + ms, wake })),
  };
  return {
    clock,
    async runUntil(end: number) {
      for (;;) {
        for (let i = 0; i < 20; i++) await Promise.resolve();
        sleepers.sort((a, b) => a.until - b.until);
        if (sleepers.length === 0 || sleepers[0]!.until > end) break;
        const { until, wake } = sleepers.shift()!;
        now = until;
        wake();
      }
      now = end;
    },
  };
}

test('parallel requests share the rate, and have equal distances', async () => {
  const { clock, runUntil } = testClock();
  const rate = new RequestRate(30, clock);
  const starts: number[] = [];
  for (let i = 0; i < 5; i++) void rate.turn(signal).then(() => starts.push(clock.now()));
  await runUntil(60_000);
  expect(starts).toEqual([0, 2000, 4000, 6000, 8000]);
});

test('a request after an idle time starts at once, and idle time allows no burst', async () => {
  const { clock, runUntil } = testClock();
  const rate = new RequestRate(60, clock);
  const starts: number[] = [];
  const ask = () => void rate.turn(signal).then(() => starts.push(clock.now()));
  ask();
  await runUntil(10_000);
  for (let i = 0; i < 3; i++) ask();
  await runUntil(20_000);
  expect(starts).toEqual([0, 10_000, 11_000, 12_000]);
});

test('a pause delays requests that already wait; a shorter pause changes nothing', async () => {
  const { clock, runUntil } = testClock();
  const rate = new RequestRate(60, clock);
  const starts: number[] = [];
  for (let i = 0; i < 3; i++) void rate.turn(signal).then(() => starts.push(clock.now()));
  await runUntil(500);
  expect([rate.pause(5000), rate.pause(100)]).toEqual([true, false]);
  await runUntil(60_000);
  expect(starts).toEqual([0, 5500, 6500]);
});

test('without a limit no request waits', async () => {
  const { clock, runUntil } = testClock();
  const rate = new RequestRate(undefined, clock);
  let started = 0;
  for (let i = 0; i < 4; i++) void rate.turn(signal).then(() => (started += 1));
  await runUntil(0);
  expect(started).toBe(4);
});
