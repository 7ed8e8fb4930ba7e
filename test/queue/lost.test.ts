/** Failures between clients, Redis and workers, with a real Redis and scripted workers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseQueueAddress } from '../../src/queue/address.ts';
import { QueueClient } from '../../src/queue/client.ts';
import type { Reply } from '../../src/queue/job.ts';
import { workOnQueue } from '../../src/queue/worker.ts';
import { until } from '../cli/memory-terminal.ts';
import { hasRedis, type OwnRedis, startRedis, withoutRedis } from './redis.ts';
import { job, never, reply } from './scripted.ts';

describe.skipIf(!hasRedis)(`the queue (${withoutRedis})`, () => {
  let redis: OwnRedis;
  let client: QueueClient;
  let stop: AbortController;
  beforeEach(async () => {
    redis = await startRedis('secret');
    client = await QueueClient.open(parseQueueAddress(redis.url), 'scripted');
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await client[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  const work = (answer: () => Promise<Reply>, onTrouble: (reason: string) => void = () => {}) =>
    workOnQueue({
      address: parseQueueAddress(redis.url),
      model: 'scripted',
      parallel: 1,
      lostMs: 5000,
      answer,
      signal: stop.signal,
      onDone() {},
      onTrouble,
    });

  it('gets the waiting jobs again after it was emptied', async () => {
    const asked = client.ask('ab', job, never);
    const admin = new Redis(redis.url);
    await until(async () => (await admin.keys('*:ab')).length === 1);
    await admin.flushall();
    admin.disconnect();
    const working = work(async () => reply);
    expect(await asked).toEqual(reply);
    stop.abort();
    await working;
  });

  it('fails a question after three attempts of workers, and accepts it when it is asked again', async () => {
    const asked = client.ask('ab', job, never).catch((error: unknown) => error);
    for (let i = 0; i < 3; i++)
      await expect(work(() => Promise.reject(new Error(`failure ${i}`)))).rejects.toThrow(`failure ${i}`);
    expect(await asked).toMatchObject({
      code: 'endpoint_failed',
      message: 'All attempts of the workers failed: failure 2.',
    });
    const again = client.ask('ab', job, never);
    const working = work(async () => reply);
    expect(await again).toEqual(reply);
    stop.abort();
    await working;
  });

  it('has workers that report a lost connection once, without the password, and continue when it is back', async () => {
    const told: string[] = [];
    const working = work(
      async () => reply,
      (reason) => told.push(reason),
    );
    await client.ask('ab', job, never);
    await redis[Symbol.asyncDispose]();
    await until(() => told.some((reason) => reason.includes('ECONNREFUSED')));
    await sleep(500);
    expect(told.filter((reason) => reason.includes('ECONNREFUSED'))).toHaveLength(1);
    expect(told.join()).not.toContain('secret');
    redis = await startRedis('secret', redis.port);
    expect(await client.ask('cd', job, never)).toEqual(reply);
    stop.abort();
    await working;
  });

  it('does not have a refused password in any form of the error', async () => {
    const wrong = parseQueueAddress(redis.url.replace('secret', 'mistaken'));
    const error = await QueueClient.open(wrong, 'scripted').catch((cause: unknown) => cause);
    expect(inspect(error, { depth: 9 })).toMatch(/WRONGPASS/);
    expect(inspect(error, { depth: 9 })).not.toContain('mistaken');
  });
});
