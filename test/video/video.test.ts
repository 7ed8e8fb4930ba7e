import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { readVideo } from '../../src/video/video.ts';
import { rejected } from '../checkpoint/caught.ts';
import { Clips, hasFfmpeg } from './clips.ts';

// Programs start slowly on a loaded machine.
vi.setConfig({ testTimeout: 180_000 });

const clips = new Clips();
const { folder } = clips;
const size = 28;
const file = (name: string) => clips.path(name);

describe.skipIf(!hasFfmpeg)('with ffmpeg', () => {
  beforeAll(() => {
    clips.counter('clip.mp4');
  });

  test('reads one frame per second with its number, or 24 frames without numbers', async () => {
    const chat = await readVideo(file('clip.mp4'), { size, template: 'chat' });
    expect(chat.frameTexts).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(chat).toMatchObject({ width: 64, height: 36, warnings: [] });
    expect(chat.pixels).toHaveLength(6 * 3 * size * size);
    const base = await readVideo(file('clip.mp4'), { size, template: 'base' });
    expect(base.frameTexts).toEqual(Array(24).fill(''));
    expect(base.contentKey).not.toBe(chat.contentKey);
  });

  test('reads the bytes of a video like its file', async () => {
    const bytes = readFileSync(file('clip.mp4'));
    const [named, given] = [
      await readVideo(file('clip.mp4'), { size, template: 'chat' }),
      await readVideo(`data:video/mp4;base64,${bytes.toString('base64')}`, { size, template: 'chat' }),
    ];
    expect(given.contentKey).toBe(named.contentKey);
  });

  test('refuses a file that ends before its first frame, without its path in the message', async () => {
    writeFileSync(file('cut.mp4'), readFileSync(file('clip.mp4')).subarray(0, 900));
    const cut = await rejected(readVideo(file('cut.mp4'), { size, template: 'chat' }));
    expect(cut.code).toBe('invalid_image');
    expect(cut.message).not.toContain(folder);
  });

  test('a video that was read is not read again', async () => {
    const video = await readVideo(file('clip.mp4'), { size, template: 'chat' });
    expect(await readVideo(structuredClone(video), { size, template: 'chat' })).toEqual(video);
  });
});

test('reads a folder as one frame per second, in the order of the numbers in the names', async () => {
  const frames = path.join(folder, 'frames');
  mkdirSync(frames);
  for (const name of ['1.png', '2.png', '10.png'])
    copyFileSync(`test/fixtures/images/${name === '10.png' ? 'gray' : 'exact'}.png`, path.join(frames, name));
  const video = await readVideo(frames, { size, template: 'chat' });
  expect(video.frameTexts).toEqual(['0', '1', '2']);
  const area = 3 * size * size;
  const [first, second, third] = [0, 1, 2].map((i) => video.pixels.slice(i * area, (i + 1) * area));
  expect(second).toEqual(first);
  expect(third).not.toEqual(first);
});

test('the frames of a folder may have any name of an image file', async () => {
  const frames = path.join(folder, 'heif');
  mkdirSync(frames);
  copyFileSync('test/fixtures/images/exact.png', path.join(frames, '1.HEIF'));
  writeFileSync(path.join(frames, 'notes.txt'), 'not a frame');
  expect((await readVideo(frames, { size, template: 'chat' })).frameTexts).toEqual(['0']);
});

test('keeps the seconds of frames, and reads one image as a video of one frame', async () => {
  const image = 'test/fixtures/images/exact.png';
  const timed = [0, 7].map((second) => ({ image, second }));
  expect((await readVideo(timed, { size, template: 'chat' })).frameTexts).toEqual(['0', '7']);
  expect((await readVideo(image, { size, template: 'chat' })).frameTexts).toEqual(['0']);
  const error = await rejected(readVideo([{ image, second: -1 }], { size, template: 'chat' }));
  expect(error.message).toContain('The second of a frame is -1');
});
