import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseQueueAddress } from '../../src/queue/address.ts';
import { QueueClient } from '../../src/queue/client.ts';
import { imageOf, inlineImage, jobSchema, MAX_INLINE_BYTES, queueName } from '../../src/queue/job.ts';
import { hasRedis, startRedis, withoutRedis } from './redis.ts';

describe('an address', () => {
  it.each([
    ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379', false],
    ['redis://user:secret@localhost/2', 'redis://localhost/2', false],
    ['redis://:secret@queue.example', 'redis://queue.example', true],
    ['rediss://queue.example', 'rediss://queue.example', true],
    ['rediss://user:secret@queue.example:6380/', 'rediss://queue.example:6380', false],
  ])('%s is shown without its password, with the right value of isOpen', (url, shown, isOpen) => {
    expect(parseQueueAddress(url)).toEqual({ url, shown, isOpen });
  });

  it.each(['', 'queue', 'http://secret@queue', 'redis://'])(
    '%j is refused, and the error does not repeat it',
    (text) => {
      expect(() => parseQueueAddress(text)).toThrow(/^The queue must be an address such as redis:/);
    },
  );
});

describe('a job', () => {
  it('is validated JSON', () => {
    const job = { image: { base64: 'AAAA' }, question: 'q', options: { temperature: 0 } };
    expect(jobSchema.safeParse(job).success).toBe(true);
    for (const wrong of [
      { ...job, question: 1 },
      { ...job, options: { signal: {} } },
      { ...job, image: { base64: 'A'.repeat(MAX_INLINE_BYTES * 2) } },
      { ...job, image: { path: 'a.pdf', page: 0 } },
    ])
      expect(jobSchema.safeParse(wrong).success).toBe(false);
  });

  it('cannot have an image above the limit', () => {
    expect(inlineImage(Buffer.from('abc'))).toEqual({ base64: 'YWJj' });
    expect(() => inlineImage(new Uint8Array(MAX_INLINE_BYTES + 1))).toThrow(
      /limit of a job is 8388608.*--by-path/,
    );
  });

  it('goes to the workers of its model', () => {
    expect(queueName('org/model:v2')).toBe('cogvlm2-org-model-v2');
  });
});

describe('a path in a job', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'shared-'));
    mkdirSync(path.join(folder, 'scans'));
    writeFileSync(path.join(folder, 'scans/a.png'), '');
    writeFileSync(path.join(folder, 'secret'), '');
    symlinkSync('../secret', path.join(folder, 'scans/link.png'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const opened = (name: string, shared: string | undefined = path.join(folder, 'scans')) =>
    imageOf({ path: path.join(folder, name), page: 2 }, shared);

  it('is opened below the shared folder only, also with links and dots', () => {
    expect(opened('scans/a.png')).toMatchObject({ page: 2 });
    for (const name of ['secret', 'scans/../secret', 'scans/link.png'])
      expect(() => opened(name), name).toThrow(/is not in/);
    expect(() => opened('scans/none')).toThrow(/There is no file/);
    expect(() => imageOf({ path: '/etc/passwd', page: null }, undefined)).toThrow(/reads no files/);
  });
});

it.skipIf(!hasRedis)(`a wrong password, or no Redis, is one sentence (${withoutRedis})`, async () => {
  const redis = await startRedis('right');
  const { port } = new URL(redis.url);
  const open = (url: string) => QueueClient.open(parseQueueAddress(url), 'demo');
  await using _ = await open(redis.url);
  await expect(open(`redis://:wrong@127.0.0.1:${port}`)).rejects.toMatchObject({
    code: 'endpoint_failed',
    message: expect.stringMatching(/^The queue at redis:\/\/127\.0\.0\.1:\d+ does not answer: WRONGPASS/),
  });
  await expect(open(`redis://127.0.0.1:${port}`)).rejects.toThrow(/does not answer: NOAUTH/);
  await expect(open('redis://127.0.0.1:1')).rejects.toThrow(/does not answer: .*ECONNREFUSED/);
  await redis[Symbol.asyncDispose]();
});
