import { describe, expect, test } from 'vitest';
import { nextQueued } from '../../src/generate/policies.ts';

const client = (running: number, lastAdmission: number) => ({ running, lastAdmission });

describe('which queued sequence is next', () => {
  test.each([
    ['none', [], -1],
    ['the first of equals', [client(0, 0), client(0, 0)], 0],
    ['of the client with fewer running', [client(2, 1), client(1, 9)], 1],
    ['of the client that was admitted longest ago', [client(1, 5), client(1, 3)], 1],
    ['of a client that was never admitted', [client(0, 1), client(0, 0)], 1],
  ])('%s', (_, queued, index) => {
    expect(nextQueued(queued)).toBe(index);
  });
});
