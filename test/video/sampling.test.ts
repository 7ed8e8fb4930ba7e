import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { framesBySecond, framesBySpacing, roundHalfToEven } from '../../src/video/sampling.ts';
import { goldenFolder } from '../model/tensors.ts';

interface Case {
  case: string;
  fps: number;
  count: number;
  /** Start times, if they are not i / fps. */
  starts?: number[];
  chat: number[];
  base: number[];
}
const cases: Case[] = JSON.parse(readFileSync(path.join(goldenFolder('video'), 'sampling.json'), 'utf8'));

describe.each(cases)('$case: the frames of the published code', ({ fps, count, starts, chat, base }) => {
  test('one frame per second', () => {
    expect(framesBySecond(starts ?? Array.from({ length: count }, (_, i) => i / fps))).toEqual(chat);
  });

  test('frames with even spacing', () => {
    expect(framesBySpacing(count, fps)).toEqual(base);
  });
});

test.each([
  [0.5, 0],
  [1.5, 2],
  [2.5, 2],
  [2.4999, 2],
  [2.51, 3],
])('%d rounds to %d', (value, rounded) => {
  expect(roundHalfToEven(value)).toBe(rounded);
});
