import { expect, it } from 'vitest';
import { Uploads } from '../../../src/server/body/uploads.ts';

const until = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
const never = new AbortController().signal;

it('ends an upload that is below the minimum rate', async () => {
  const uploads = new Uploads({ graceMs: 0, minBytesPerSecond: 1e9 });
  let places = 1;
  const upload = uploads.watch(
    never,
    () => places--,
    (signal, onBytes) => {
      onBytes(10);
      return until(signal);
    },
  );
  await expect(upload).rejects.toMatchObject({
    code: 'upload_too_slow',
    status: 408,
    message: expect.stringContaining('10 bytes so far; the minimum is 1000000000 bytes a second'),
  });
  expect(places).toBe(0);
});

it('ends the slowest upload when its slot is needed, but no fast upload', async () => {
  const uploads = new Uploads({ graceMs: 0, minBytesPerSecond: 1e7 });
  const ended: string[] = [];
  const start = (name: string, size: number) =>
    uploads
      .watch(
        never,
        () => ended.push(name),
        (signal, onBytes) => {
          onBytes(size);
          return until(signal);
        },
      )
      .catch(() => {});
  void start('slow', 100);
  void start('slowest', 1);
  void start('fast', 1e12);
  expect([uploads.makeRoom(), uploads.makeRoom(), uploads.makeRoom()]).toEqual([true, true, false]);
  expect(ended).toEqual(['slowest', 'slow']);
});

it('gives a new upload time, also when its slot is needed', () => {
  const uploads = new Uploads({ graceMs: 60_000, minBytesPerSecond: 1e9 });
  void uploads.watch(never, () => {}, until).catch(() => {});
  expect(uploads.makeRoom()).toBe(false);
});

it('ends with the request', async () => {
  const leaver = new AbortController();
  const upload = new Uploads().watch(leaver.signal, () => {}, until);
  leaver.abort(new Error('left'));
  await expect(upload).rejects.toThrow('left');
});
