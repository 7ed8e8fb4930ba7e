import { expect, test } from 'vitest';
import { type CacheFacts, chooseCache, isWorthWaiting } from '../../src/generate/policies.ts';

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
  ['nothing there yet: a new one, in steps of 256', [], 700, { capacity: 768, evict: [] }],
  ['a new one beside a busy one', [busy], 1000, { capacity: 1024, evict: [] }],
  ['its own conversation', [cache({}), cache({ prefix: 480 })], 700, { use: 1 }],
  ['another question about the image that fills most of a cache', [cache({ prefix: 400 })], 700, { use: 0 }],
  ['the longer of two beginnings', [cache({ prefix: 300 }), cache({ prefix: 301 })], 700, { use: 1 }],
  [
    'a long conversation is not lost for a short beginning',
    [cache({ prefix: 200 })],
    700,
    { capacity: 768, evict: [] },
  ],
  [
    'nor is it when the cache is too small: what it holds can be copied',
    [cache({ prefix: 480, capacity: 512 })],
    700,
    { capacity: 768, evict: [] },
  ],
  [
    'no cache left: the one not used for the longest time',
    [cache({ lastUsed: 3 }), cache({ lastUsed: 2 }), busy],
    700,
    { use: 1 },
  ],
  [
    'but rather one that has nothing of the request',
    [cache({ lastUsed: 3 }), cache({ lastUsed: 2, prefix: 200 }), busy],
    700,
    { use: 0 },
  ],
  [
    'no tokens left: idle caches make room',
    [cache({ lastUsed: 2 }), cache({ lastUsed: 1 })],
    1500,
    { capacity: 1536, evict: [1] },
  ],
  [
    'several of them, if need be',
    [cache({ lastUsed: 2 }), cache({ lastUsed: 1 })],
    2900,
    { capacity: 3000, evict: [1, 0] },
  ],
  ['all are busy', [busy, busy, busy], 10, null],
  ['too little room beside the busy ones', [busy, busy], 1000, null],
  ['nor if the idle one made room', [busy, busy, cache({ capacity: 600 })], 1000, null],
] as const)('%s', (_, caches, tokens, wanted) => {
  expect(chooseCache(caches, tokens, limits)).toEqual(wanted);
});

test.each([
  ['nothing in common is coming', 100, 1, 1, false],
  ['all of it is coming', 100, 1, 99, true],
  ['half of what is missing is too little', 100, 0, 50, false],
  ['more than half of what is missing', 100, 0, 51, true],
  ['most of it is there already', 100, 90, 94, false],
] as const)('a sequence waits for an earlier one: %s', (_, length, have, coming, wanted) => {
  expect(isWorthWaiting(length, have, coming)).toBe(wanted);
});
