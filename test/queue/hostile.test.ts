/** Hostile jobs in a real Redis, and a worker with scripted replies. */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseQueueAddress } from '../../src/queue/address.ts';
import { QueueClient } from '../../src/queue/client.ts';
import { attempts, imageOf, type Job, queueName, type Reply } from '../../src/queue/job.ts';
import { workOnQueue } from '../../src/queue/worker.ts';
import { until } from '../cli/memory-terminal.ts';
import { hasRedis, type OwnRedis, startRedis, withoutRedis } from './redis.ts';
import { job, never, reply } from './scripted.ts';

describe.skipIf(!hasRedis)(`a hostile job (${withoutRedis})`, () => {
  let redis: OwnRedis;
  let queue: Queue;
  let admin: Redis;
  let stop: AbortController;
  beforeEach(async () => {
    redis = await startRedis();
    queue = new Queue(queueName('scripted'), { connection: { url: redis.url } });
    admin = new Redis(redis.url);
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    admin.disconnect();
    await queue.close();
    await redis[Symbol.asyncDispose]();
  });

  const work = (answer: (job: Job) => Promise<Reply>) =>
    workOnQueue({
      address: parseQueueAddress(redis.url),
      model: 'scripted',
      parallel: 1,
      lostMs: 5_000,
      answer,
      signal: stop.signal,
      onDone() {},
      onTrouble() {},
    });
  const client = () => QueueClient.open(parseQueueAddress(redis.url), 'scripted');

  it('of another shape is refused in one short sentence, and the next one is answered', async () => {
    const answered: Job[] = [];
    const working = work(async (job) => {
      answered.push(job);
      if (job.image !== null) imageOf(job.image, '/none');
      return reply;
    });
    const wrong: Record<string, unknown> = {
      null: null,
      number: 5,
      list: [1, 2],
      question: { ...job, question: ['?'] },
      options: { ...job, options: { signal: 'x' } },
      manyOptions: { ...job, options: Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [i, i])) },
      base64: { ...job, image: { base64: '!' } },
      largeImage: { ...job, image: { base64: 'A'.repeat(12 * 2 ** 20) } },
      page: { ...job, image: { path: '/a', page: -1 } },
      path: { ...job, image: { path: `/${'a'.repeat(3_000_000)}`, page: null } },
      longPath: { ...job, image: { path: `/${'a/'.repeat(1_500)}`, page: null } },
      pathWithNul: { ...job, image: { path: '/a\0b', page: null } },
    };
    for (const [name, data] of Object.entries(wrong))
      await queue.add('ask', data, { jobId: `wrong-${name}` });
    await using asker = await client();
    expect(await asker.ask('ab', job, never)).toEqual(reply);
    for (const name of Object.keys(wrong)) {
      const done = await queue.getJob(`wrong-${name}`);
      expect(done?.returnvalue, name).toMatchObject({
        error: { code: expect.stringMatching(/^(?:invalid_value|file_not_found)$/), message: /./ },
      });
      expect(done?.returnvalue.error.message.length, name).toBeLessThan(300);
    }
    // Only those of the right shape reach the model.
    expect(answered.map(({ image }) => image !== null && 'path' in image && image.path.length)).toEqual([
      3_001,
      4,
      false,
    ]);
    stop.abort();
    await working;
  });

  it.each<[string, Record<string, string | Buffer>]>([
    ['whose data are no JSON', { data: '{{{' }],
    ['whose data are no text', { data: Buffer.from([0xff, 0xfe, 0x00]) }],
    ['nested 100,000 deep', { data: `{"image":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_001)}` }],
    ['whose options are no JSON', { opts: '{{{' }],
    ['whose options are null', { opts: 'null' }],
    ['whose numbers are none', { timestamp: 'x', atm: 'x', ats: 'x', priority: 'x', delay: 'x' }],
    ['whose history is no JSON', { stacktrace: '{{{', returnvalue: '{{{' }],
  ])('%s does not end a worker', async (_, fields) => {
    await queue.add('ask', job, { jobId: 'broken' });
    await admin.hset(`bull:${queueName('scripted')}:broken`, fields);
    const working = work(async () => reply);
    await using asker = await client();
    expect(await asker.ask('ab', job, never)).toEqual(reply);
    stop.abort();
    await working;
  });

  it('without limit of attempts ends no more workers than another one', async () => {
    await queue.add('ask', job, { jobId: 'endless', attempts: 1e9 });
    for (let i = 0; i < attempts; i++)
      await expect(work(() => Promise.reject(new Error('a fault')))).rejects.toThrow('a fault');
    let asked = 0;
    const working = work(async () => {
      asked++;
      return reply;
    });
    await until(async () => (await queue.getJobState('endless')) === 'failed');
    expect(asked).toBe(0);
    await using asker = await client();
    expect(await asker.ask('ab', job, never)).toEqual(reply);
    stop.abort();
    await working;
  });

  it('that fails with a long text gives a short error', async () => {
    const failing = queue.add('ask', job, { jobId: 'cd', attempts: 1 });
    await failing;
    await expect(work(() => Promise.reject(new Error('long '.repeat(100_000))))).rejects.toThrow();
    await using asker = await client();
    const error = await asker.ask('cd', job, never).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'endpoint_failed' });
    expect(String(error).length).toBeLessThan(700);
  });

  it('larger than a Redis with the recommended limit takes is refused there', async () => {
    await admin.config('SET', 'proto-max-bulk-len', 16 * 2 ** 20);
    const largest = { ...job, image: { base64: 'A'.repeat(Math.ceil((8 * 2 ** 20) / 3) * 4) } };
    await queue.add('ask', largest, { jobId: 'largest' });
    expect(await queue.getJobState('largest')).toBe('waiting');
    const raw = new Redis(redis.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
    raw.on('error', () => {});
    await expect(raw.set('huge', 'x'.repeat(17 * 2 ** 20))).rejects.toThrow();
    raw.disconnect();
  });
});
