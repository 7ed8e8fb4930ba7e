import { expect, test } from 'vitest';
import { retryAfterMs, statusFailure } from '../../src/hub/failure.ts';

test.each([
  [{ 'retry-after': '20' }, 20_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after': ' 7 ' }, 7000],
  [{ 'retry-after': ['3', '9'] }, 3000],
  [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' }, 30_000],
  [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT', date: 'Wed, 21 Oct 2026 07:28:30 GMT' }, 0],
  [{ 'retry-after-ms': '1500', 'retry-after': '2' }, 1500],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '-3' }, undefined],
  [{ 'retry-after': '' }, undefined],
  [{}, undefined],
])('%j', (headers, ms) => {
  expect(retryAfterMs(headers)).toBe(ms);
});

test('a date without a Date header is compared with the clock of this machine', () => {
  const now = Date.parse('2026-10-21T07:28:00Z');
  expect(retryAfterMs({ 'retry-after': 'Wed, 21 Oct 2026 07:29:00 GMT' }, now)).toBe(60_000);
});

test('a download waits as long as the server wants, at most ten minutes', () => {
  const pauses = ['30', '86400', 'soon'].map((written) =>
    statusFailure('u', 503, { 'retry-after': written }),
  );
  expect(pauses).toMatchObject([
    { retryAfterMs: 30_000 },
    { retryAfterMs: 600_000 },
    { retryAfterMs: undefined },
  ]);
});
