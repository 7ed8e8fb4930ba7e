import { expect, it } from 'vitest';
import { Slots } from '../../src/run/slots.ts';

it('gives a free slot to the job that waits longest', async () => {
  const slots = new Slots(2);
  const first = await slots.take();
  await slots.take();
  const order: string[] = [];
  const third = slots.take().then((slot) => {
    order.push('third');
    return slot;
  });
  void slots.take().then(() => order.push('fourth'));
  expect(slots.waiting).toBe(2);
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  await expect.poll(() => order).toEqual(['third', 'fourth']);
  expect(slots.waiting).toBe(0);
});

it('a slot that is disposed twice is free once', async () => {
  const slots = new Slots(1);
  const slot = await slots.take();
  slot[Symbol.dispose]();
  slot[Symbol.dispose]();
  await slots.take();
  void slots.take();
  expect(slots.waiting).toBe(1);
});

it('a job that stops waiting leaves the queue, with the reason of its signal', async () => {
  const slots = new Slots(1);
  const slot = await slots.take();
  const stop = new AbortController();
  const stopped = slots.take(stop.signal);
  const next = slots.take();
  stop.abort(new Error('left'));
  await expect(stopped).rejects.toThrow('left');
  slot[Symbol.dispose]();
  await next;
  await expect(slots.take(stop.signal)).rejects.toThrow('left');
});
