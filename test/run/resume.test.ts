import { expect, test } from 'vitest';
import { z } from 'zod';
import { withOldName } from '../../src/run/resume.ts';

const schema = withOldName(z.object({ image: z.string(), question: z.string() }), 'image', 'picture');

test('a field with its old name is read as the new one', () => {
  expect(schema.parse({ picture: 'a.png', question: 'q' })).toEqual({ image: 'a.png', question: 'q' });
  expect(schema.parse({ image: 'a.png', question: 'q' })).toEqual({ image: 'a.png', question: 'q' });
});

test.each([null, 'text', {}, { picture: 1, question: 'q' }])('%j is refused', (value) => {
  expect(schema.safeParse(value).success).toBe(false);
});
