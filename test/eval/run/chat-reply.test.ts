import { expect, test } from 'vitest';
import { failureOf } from '../../../src/eval/run/chat-reply.ts';

test('a request to a busy server is repeated, a bad request fails alone, other statuses end the run', () => {
  expect([429, 500, 503, 408].map((status) => failureOf(status, '').action)).toEqual(Array(4).fill('retry'));
  expect([400, 413, 422].map((status) => failureOf(status, '').action)).toEqual(Array(3).fill('question'));
  expect([401, 403, 404].map((status) => failureOf(status, '').action)).toEqual(Array(3).fill('run'));
});
