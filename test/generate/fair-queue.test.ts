import { expect, test } from 'vitest';
import { FairQueue } from '../../src/generate/fair-queue.ts';

function filled(...entries: string[]): FairQueue<string> {
  const queue = new FairQueue<string>();
  for (const entry of entries) queue.push(entry[0]!, entry);
  return queue;
}

const drained = (queue: FairQueue<string>) => Array.from({ length: queue.size }, () => queue.shift());

test('one client is served in order, several in turn', () => {
  expect(drained(filled('a1', 'a2', 'a3'))).toEqual(['a1', 'a2', 'a3']);
  expect(drained(filled('a1', 'a2', 'a3', 'b1', 'c1', 'b2'))).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
});

test('a newcomer waits for one question of each, not for all of them', () => {
  const queue = filled('a1', 'a2', 'a3', 'a4');
  expect(queue.shift()).toBe('a1');
  queue.push('b', 'b1');
  expect(drained(queue)).toEqual(['a2', 'b1', 'a3', 'a4']);
});

test('who leaves takes nobody along', () => {
  const queue = filled('a1', 'a2', 'b1', 'c1');
  queue.remove('b1');
  queue.remove('a1');
  queue.remove('never there');
  expect(queue.size).toBe(2);
  expect(queue.first()).toBe('a2');
  expect(drained(queue)).toEqual(['a2', 'c1']);
  expect([queue.first(), queue.shift(), queue.size]).toEqual([undefined, undefined, 0]);
});
