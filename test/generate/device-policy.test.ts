import { describe, expect, test } from 'vitest';
import { chunkRows, leadAfter, nextWork } from '../../src/generate/policies.ts';

const served = (...times: number[]) => times.map((servedMs) => ({ servedMs }));

describe('whose turn it is', () => {
  test.each([
    ['nothing waits', 0, [], 0, null],
    ['only tokens', 3, [], 500, 'decode'],
    ['only a picture', 0, [10], -500, 0],
    ['the work that has had the least', 0, [10, 3, 7], 0, 1],
    ['the first of equals', 0, [5, 5], 0, 0],
    ['tokens, after a long piece of work', 1, [9], 9, 'decode'],
    ['work, when tokens have had as much', 1, [9], 0, 0],
  ] as const)('%s', (_, decoding, works, leadMs, wanted) => {
    expect(nextWork(decoding, served(...works), leadMs)).toBe(wanted);
  });

  /** Runs the policy against a clock. @returns the share of the time that tokens had, and each work's time. */
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
  ])('steps of %i ms beside pieces of %j ms have half of the time', (stepMs, pieces) => {
    const { share, longestWaitMs } = simulate(1_000_000, stepMs, pieces);
    expect(share).toBeGreaterThan(0.48);
    expect(share).toBeLessThan(0.52);
    // No token waits for more than one long piece, or for as many short ones as a step is long.
    expect(longestWaitMs).toBeLessThanOrEqual(Math.max(...pieces) + stepMs);
  });

  test('long and short pieces share the other half evenly', () => {
    const { times } = simulate(100_000, 5, [100, 10, 1]);
    for (const time of times) expect(Math.abs(time - 100_000 / 6)).toBeLessThan(200);
  });

  test('a lead is forgotten when one side has nothing to do', () => {
    expect(leadAfter(5000, 'decode', 3, false)).toBe(0);
    expect(leadAfter(5000, 'decode', 3, true)).toBe(4997);
    expect(leadAfter(10, 1, 3, true)).toBe(13);
  });
});

describe('rows of a chunk', () => {
  test.each([
    ['all when nobody waits', false, 100, 50, 512],
    ['few when the machine is slow', true, 200, 100, 16],
    ['what fits into four steps', true, 200, 4, 200],
    ['what nobody notices', true, 1, 0.5, 100],
    ['never more than a chunk', true, 200, 0.01, 512],
    ['few before anything is known', true, 0, 0, 16],
  ])('%s', (_, othersWait, stepMs, rowMs, wanted) => {
    expect(chunkRows(othersWait, stepMs, rowMs, 512)).toBe(wanted);
  });
});
