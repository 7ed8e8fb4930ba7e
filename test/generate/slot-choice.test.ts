import { expect, test } from 'vitest';
import { chooseSlot, type SlotFacts } from '../../src/generate/slot-choice.ts';

const limits = { slots: 3, kvTokens: 3000 };
const slot = (facts: Partial<SlotFacts>): SlotFacts => ({
  isBusy: false,
  capacity: 1024,
  rows: 500,
  prefix: 1,
  lastUsed: 1,
  ...facts,
});
const busy = slot({ isBusy: true });

test.each([
  ['nothing there yet: a new one, in steps of 256', [], 700, { capacity: 768, evict: [] }],
  ['a new one beside a busy one', [busy], 1000, { capacity: 1024, evict: [] }],
  ['its own conversation', [slot({}), slot({ prefix: 480 })], 700, { take: 1 }],
  ['another question about the picture that fills most of a slot', [slot({ prefix: 400 })], 700, { take: 0 }],
  ['the longer of two beginnings', [slot({ prefix: 300 }), slot({ prefix: 301 })], 700, { take: 1 }],
  [
    'a long conversation is not lost for a short beginning',
    [slot({ prefix: 200 })],
    700,
    { capacity: 768, evict: [] },
  ],
  [
    'nor is it when the slot is too small: what it holds can be copied',
    [slot({ prefix: 480, capacity: 512 })],
    700,
    { capacity: 768, evict: [] },
  ],
  [
    'no slot left: the one not used for the longest time',
    [slot({ lastUsed: 3 }), slot({ lastUsed: 2 }), busy],
    700,
    { take: 1 },
  ],
  [
    'but rather one that has nothing of the request',
    [slot({ lastUsed: 3 }), slot({ lastUsed: 2, prefix: 200 }), busy],
    700,
    { take: 0 },
  ],
  [
    'no tokens left: idle slots make room',
    [slot({ lastUsed: 2 }), slot({ lastUsed: 1 })],
    1500,
    { capacity: 1536, evict: [1] },
  ],
  [
    'several of them, if need be',
    [slot({ lastUsed: 2 }), slot({ lastUsed: 1 })],
    2900,
    { capacity: 3000, evict: [1, 0] },
  ],
  ['all are busy', [busy, busy, busy], 10, null],
  ['too little room beside the busy ones', [busy, busy], 1000, null],
  ['nor if the idle one made room', [busy, busy, slot({ capacity: 600 })], 1000, null],
] as const)('%s', (_, slots, tokens, wanted) => {
  expect(chooseSlot(slots, tokens, limits)).toEqual(wanted);
});
