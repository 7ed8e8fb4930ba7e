import { describe, expect, it } from 'vitest';
import { FairQueue, nextOf, type Place } from '../../src/server/queue.ts';

const never = new AbortController().signal;
const queueOf = (limits: Partial<FairQueue['limits']> = {}) =>
  new FairQueue({ parallel: 1, maxWaiting: 10, maxPerClient: 100, ...limits });

describe('who is next', () => {
  it.each([
    [
      'the first of equals',
      [
        { running: 0, lastTurn: 0 },
        { running: 0, lastTurn: 0 },
      ],
      0,
    ],
    [
      'who has less under way',
      [
        { running: 2, lastTurn: 1 },
        { running: 1, lastTurn: 9 },
      ],
      1,
    ],
    [
      'who was served longest ago',
      [
        { running: 1, lastTurn: 5 },
        { running: 1, lastTurn: 3 },
      ],
      1,
    ],
  ])('%s', (_, waiting, index) => {
    expect(nextOf(waiting)).toBe(index);
  });
});

describe('turns', () => {
  it('go round the clients, whoever has sent most', async () => {
    const queue = queueOf();
    const order: string[] = [];
    const first = queue.enter('greedy');
    await first.turn(never);
    const rest = ['greedy', 'greedy', 'greedy', 'modest', 'other', 'modest'].map((client) => {
      const place = queue.enter(client);
      return place.turn(never).then(() => {
        order.push(client);
        place.leave();
      });
    });
    expect([queue.running, queue.waiting]).toEqual([1, 6]);
    first.leave();
    await Promise.all(rest);
    expect(order).toEqual(['modest', 'other', 'greedy', 'modest', 'greedy', 'greedy']);
    expect([queue.running, queue.waiting]).toEqual([0, 0]);
  });

  it('are as many at once as are allowed', async () => {
    const queue = queueOf({ parallel: 2 });
    const places = [queue.enter('a'), queue.enter('a'), queue.enter('a')] as const;
    const turns = places.map((place) => place.turn(never));
    await Promise.all(turns.slice(0, 2));
    expect([queue.running, queue.waiting]).toEqual([2, 1]);
    places[0].leave();
    places[0].leave(); // twice is once
    await turns[2];
    expect([queue.running, queue.waiting]).toEqual([2, 0]);
  });

  it('are given up by who leaves before', async () => {
    const queue = queueOf();
    const first = queue.enter('a');
    await first.turn(never);
    const leaver = new AbortController();
    const [second, third] = [queue.enter('b'), queue.enter('c')];
    const given = second.turn(leaver.signal);
    const next = third.turn(never);
    leaver.abort(new Error('left'));
    await expect(given).rejects.toThrow('left');
    second.leave();
    first.leave();
    await next;
    await expect(queue.enter('d').turn(leaver.signal)).rejects.toThrow('left');
  });
});

describe('limits', () => {
  const fill = (queue: FairQueue, client: string, count: number): Place[] =>
    Array.from({ length: count }, () => queue.enter(client));

  it('refuses past the queue, before a turn is even asked for, and says not to ask again at once', () => {
    const queue = queueOf({ parallel: 2, maxWaiting: 3 });
    const places = fill(queue, 'a', 5);
    let refusal: unknown;
    try {
      queue.enter('b');
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({
      status: 503,
      code: 'queue_full',
      headers: { 'retry-after': '5', 'x-should-retry': 'false' },
      message: expect.stringContaining('the limit is 3 waiting (--max-queue)'),
    });
    places[0]!.leave();
    queue.enter('b');
  });

  it('refuses one client past its own limit, and nobody else', () => {
    const queue = queueOf({ maxPerClient: 2 });
    const [place] = fill(queue, 'a', 2);
    expect(() => queue.enter('a')).toThrow(/2 requests of this client .* the limit is 2/);
    queue.enter('b');
    place!.leave();
    queue.enter('a');
  });
});
