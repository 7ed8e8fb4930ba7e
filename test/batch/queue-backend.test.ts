import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { QueueBackend } from '../../src/batch/queue-backend.ts';
import type { QueueClient } from '../../src/queue/client.ts';
import { type Job, MAX_INLINE_BYTES } from '../../src/queue/job.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-'));
afterAll(() => rmSync(folder, { recursive: true }));

const jobs: Job[] = [];
const client = {
  ask: async (_id: string, job: Job) => {
    jobs.push(job);
    return { error: { code: 'invalid_image', message: 'not of interest' } };
  },
  forget: async () => {},
};
const backend = new QueueBackend(client as unknown as QueueClient, {}, 'run');

it('sends the bytes of a video file', async () => {
  const bytes = Buffer.from('not a real video');
  const video = path.join(folder, 'whole.mp4');
  writeFileSync(video, bytes);
  await using opened = await backend.open({ video });
  const item = { input: video, page: null, question: 'What?' };
  await opened.ask(item as never, new AbortController().signal).catch(() => {});
  expect(jobs.at(-1)).toMatchObject({ image: { base64: bytes.toString('base64') } });
});

it.each<[string, (video: string) => void]>([
  ['grows', (video) => appendFileSync(video, 'more')],
  [
    'is overwritten',
    (video) => {
      const file = openSync(video, 'r+');
      writeSync(file, 'other');
      closeSync(file);
    },
  ],
])('a video file that %s while it is read is not sent', async (how, change) => {
  const video = path.join(folder, `${how}.mp4`);
  writeFileSync(video, Buffer.alloc(6 * 2 ** 20));
  utimesSync(video, 1_000, 1_000);
  let isReading = true;
  const next = () => {
    if (!isReading) return;
    change(video);
    setImmediate(next);
  };
  const opening = backend.open({ video });
  next();
  await expect(opening.finally(() => (isReading = false))).rejects.toMatchObject({
    code: 'invalid_image',
    message: expect.stringContaining('was changed while it was read'),
  });
});

it('a folder, a missing file, a large file and a pipe get one sentence each', async () => {
  const large = path.join(folder, 'large.mp4');
  writeFileSync(large, Buffer.alloc(MAX_INLINE_BYTES + 1));
  const frames = path.join(folder, 'frames');
  mkdirSync(frames);
  const codes: [string, string, string][] = [
    [frames, 'invalid_value', 'is a folder of frames'],
    [path.join(folder, 'none.mp4'), 'file_not_found', 'There is no file'],
    [large, 'image_too_large', 'The video has 8388609 bytes'],
  ];
  if (process.platform !== 'win32') {
    const pipe = path.join(folder, 'pipe.mp4');
    execFileSync('mkfifo', [pipe]);
    codes.push([pipe, 'file_not_found', 'is a pipe or a device']);
  }
  for (const [video, code, message] of codes) {
    await expect(backend.open({ video })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  }
});
