import { describe, expect, test } from 'vitest';
import {
  type CacheFacts,
  chooseCache,
  chunkRows,
  isWorthWaiting,
  leadAfter,
  nextQueued,
  nextWork,
} from '../../src/generate/policies.ts';

const client = (running: number, lastAdmission: number) => ({ running, lastAdmission });

describe('the next queued sequence is', () => {
  test.each([
    ['none', [], -1],
    ['the first of equals', [client(0, 0), client(0, 0)], 0],
    ['the one of the client with fewer running sequences', [client(2, 1), client(1, 9)], 1],
    ['the one of the client that was admitted longest ago', [client(1, 5), client(1, 3)], 1],
    ['the one of a client that was never admitted', [client(0, 1), client(0, 0)], 1],
  ])('%s', (_, queued, index) => {
    expect(nextQueued(queued)).toBe(index);
  });
});

const limits = { sequences: 3, kvTokens: 3000 };
const cache = (facts: Partial<CacheFacts>): CacheFacts => ({
  isInUse: false,
  capacity: 1024,
  rows: 500,
  prefix: 1,
  lastUsed: 1,
  ...facts,
});
const busy = cache({ isInUse: true });

test.each([
  ['no cache: a new one, in steps of 256', [], 700, { capacity: 768, evict: [] }],
  ['a busy cache: a new one', [busy], 1000, { capacity: 1024, evict: [] }],
  ['the cache of the conversation', [cache({}), cache({ prefix: 480 })], 700, { use: 1 }],
  ['another question about the image that fills most of a cache', [cache({ prefix: 400 })], 700, { use: 0 }],
  ['the longer of two prefixes', [cache({ prefix: 300 }), cache({ prefix: 301 })], 700, { use: 1 }],
  [
    'a long conversation is not lost for a short prefix',
    [cache({ prefix: 200 })],
    700,
    { capacity: 768, evict: [] },
  ],
  [
    'a long conversation is not lost if its cache is too small: its prefix can be copied',
    [cache({ prefix: 480, capacity: 512 })],
    700,
    { capacity: 768, evict: [] },
  ],
  [
    'no cache left: the least recently used one',
    [cache({ lastUsed: 3 }), cache({ lastUsed: 2 }), busy],
    700,
    { use: 1 },
  ],
  [
    'no cache left: one without a prefix of the prompt is evicted first',
    [cache({ lastUsed: 3 }), cache({ lastUsed: 2, prefix: 200 }), busy],
    700,
    { use: 0 },
  ],
  [
    'no tokens left: an idle cache is evicted',
    [cache({ lastUsed: 2 }), cache({ lastUsed: 1 })],
    1500,
    { capacity: 1536, evict: [1] },
  ],
  [
    'no tokens left: several idle caches are evicted',
    [cache({ lastUsed: 2 }), cache({ lastUsed: 1 })],
    2900,
    { capacity: 3000, evict: [1, 0] },
  ],
  ['all caches are busy', [busy, busy, busy], 10, null],
  ['too few tokens beside the busy caches', [busy, busy], 1000, null],
  ['too few tokens also after an eviction', [busy, busy, cache({ capacity: 600 })], 1000, null],
] as const)('%s', (_, caches, tokens, wanted) => {
  expect(chooseCache(caches, tokens, limits)).toEqual(wanted);
});

test.each([
  ['it runs no common rows', 100, 1, 1, false],
  ['it runs all rows', 100, 1, 99, true],
  ['it runs half of the missing rows, which is too little', 100, 0, 50, false],
  ['it runs more than half of the missing rows', 100, 0, 51, true],
  ['most rows are already in the cache', 100, 90, 94, false],
] as const)('a sequence waits for an earlier one: %s', (_, length, have, coming, wanted) => {
  expect(isWorthWaiting(length, have, coming)).toBe(wanted);
});

const served = (...times: number[]) => times.map((servedMs) => ({ servedMs }));

describe('the device runs', () => {
  test.each([
    ['nothing waits', 0, [], 0, null],
    ['only tokens', 3, [], 500, 'decode'],
    ['an image if there is no other work', 0, [10], -500, 0],
    ['the work that had the least time', 0, [10, 3, 7], 0, 1],
    ['the first of equals', 0, [5, 5], 0, 0],
    ['a decode step after a long piece of work', 1, [9], 9, 'decode'],
    ['work if decode steps had the same time', 1, [9], 0, 0],
  ] as const)('%s', (_, decoding, works, leadMs, wanted) => {
    expect(nextWork(decoding, served(...works), leadMs)).toBe(wanted);
  });

  /** Runs the policy with a simulated clock. @returns the share of time of decode steps, and the time of each work */
  function simulate(totalMs: number, stepMs: number, pieces: readonly number[]) {
    const works = served(...pieces.map(() => 0));
    let [lead, tokensMs, longestWaitMs, waitMs] = [0, 0, 0, 0];
    for (let now = 0; now < totalMs; ) {
      const turn = nextWork(1, works, lead);
      const tookMs = turn === 'decode' ? stepMs : pieces[turn!]!;
      if (turn === 'decode') [tokensMs, waitMs] = [tokensMs + tookMs, 0];
      else [works[turn!]!.servedMs, waitMs] = [works[turn!]!.servedMs + tookMs, waitMs + tookMs];
      longestWaitMs = Math.max(longestWaitMs, waitMs);
      lead = leadAfter(lead, turn!, tookMs, true);
      now += tookMs;
    }
    return { share: tokensMs / totalMs, times: works.map(({ servedMs }) => servedMs), longestWaitMs };
  }

  test.each([
    [1, [1]],
    [2, [30]],
    [30, [2, 2, 2]],
    [200, [13_000]],
  ])('steps of %i ms and pieces of %j ms get half of the time each', (stepMs, pieces) => {
    const { share, longestWaitMs } = simulate(1_000_000, stepMs, pieces);
    expect(share).toBeGreaterThan(0.48);
    expect(share).toBeLessThan(0.52);
    // A token waits for at most one long piece, or for short pieces that take as long as a step.
    expect(longestWaitMs).toBeLessThanOrEqual(Math.max(...pieces) + stepMs);
  });

  test('long and short pieces share the other half equally', () => {
    const { times } = simulate(100_000, 5, [100, 10, 1]);
    for (const time of times) expect(Math.abs(time - 100_000 / 6)).toBeLessThan(200);
  });

  test('a lead is reset if one side has no work', () => {
    expect(leadAfter(5000, 'decode', 3, false)).toBe(0);
    expect(leadAfter(5000, 'decode', 3, true)).toBe(4997);
    expect(leadAfter(10, 1, 3, true)).toBe(13);
  });
});

describe('rows of a chunk', () => {
  test.each([
    ['all rows if no sequence waits', false, 100, 50, 512],
    ['few rows on a slow machine', true, 200, 100, 16],
    ['rows that take as long as four steps', true, 200, 4, 200],
    ['rows that take less than 50 ms', true, 1, 0.5, 100],
    ['never more than a chunk', true, 200, 0.01, 512],
    ['few rows before the first measurement', true, 0, 0, 16],
  ])('%s', (_, othersWait, stepMs, rowMs, wanted) => {
    expect(chunkRows(othersWait, stepMs, rowMs, 512)).toBe(wanted);
  });
});
