import { expect, it } from 'vitest';
import { limitedNumber } from '../../src/grammar/number-range.ts';

it('makes the beginning of a number when the schema is read, so that a thousand alternatives do not make theirs in one step', () => {
  const number = limitedNumber({ minimum: -90, maximum: 900 }, true, '#', { steps: 1_000_000 });
  expect(number.type).toBe('choice');
  const [positive, negative] = number.type === 'choice' ? number.choices : [];
  expect(positive?.type).toBe('choice');
  expect(negative?.type === 'sequence' && negative.parts.map(({ type }) => type)).toEqual([
    'bytes',
    'choice',
  ]);
});
