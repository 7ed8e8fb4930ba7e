import { expect, test } from 'vitest';
import { boxesIn, pixelsOf } from '../../src/text/boxes.ts';

test('boxes have the phrases before them', () => {
  expect(
    boxesIn(
      'A man [[086,540,400,760]] rides a horse [[100,200,300,400]]. Two birds [[1,2,3,4;5,6,7,8]] fly.',
    ),
  ).toEqual([
    { phrase: 'A man', box: [0.086, 0.54, 0.4, 0.76] },
    { phrase: 'rides a horse', box: [0.1, 0.2, 0.3, 0.4] },
    { phrase: 'Two birds', box: [0.001, 0.002, 0.003, 0.004] },
    { phrase: 'Two birds', box: [0.005, 0.006, 0.007, 0.008] },
  ]);
  expect(boxesIn('在左边，一只猫[[000,000,500,1000]]')).toEqual([{ phrase: '一只猫', box: [0, 0, 0.5, 1] }]);
  expect(boxesIn('At 12:30, a total of 9.50 [[0,0,500,500]]')).toEqual([
    { phrase: 'a total of 9.50', box: [0, 0, 0.5, 0.5] },
  ]);
  expect(boxesIn('[[000,000,500,500]]')).toEqual([{ phrase: '', box: [0, 0, 0.5, 0.5] }]);
});

test.each([
  'no box',
  '[[]]',
  '[[1,2,3]]',
  '[[1,2,3,4,5]]',
  '[[a,b,c,d]]',
  '[[1,2,3,-4]]',
  '[1,2,3,4]',
  '[[1,2,3,4',
])('%s has no boxes', (text) => {
  expect(boxesIn(text)).toEqual([]);
});

test('an invalid box of several is omitted, and the others are kept', () => {
  expect(boxesIn('cats [[1,2,3;10,20,30,40; 50, 60, 70, 80]]').map(({ box }) => box)).toEqual([
    [0.01, 0.02, 0.03, 0.04],
    [0.05, 0.06, 0.07, 0.08],
  ]);
});

test('pixels are rounded towards zero', () => {
  expect(pixelsOf({ phrase: '', box: [0.333, 0.5, 0.999, 1] }, 100, 33)).toEqual([33, 16, 99, 33]);
});

test('a long text with an unclosed box takes linear time', () => {
  expect(boxesIn('[['.repeat(20_000))).toEqual([]);
});
