import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readVideo } from '../../src/video/video.ts';
import { rejected } from '../checkpoint/caught.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-video-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const size = 28;
const isInstalled = spawnSync('ffmpeg', ['-version']).status === 0;
const file = (name: string) => path.join(folder, name);
const make = (name: string, ...args: string[]) =>
  void spawnSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', ...args, file(name)]);

describe.skipIf(!isInstalled)('with ffmpeg', () => {
  make('clip.mp4', 'testsrc=size=64x36:rate=10:duration=5', '-pix_fmt', 'yuv420p');
  make('sound.mp4', 'sine=duration=1');

  test('one frame a second with its number, or 24 without', async () => {
    const chat = await readVideo(file('clip.mp4'), { size, template: 'chat' });
    expect(chat.frameTexts).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(chat).toMatchObject({ width: 64, height: 36, warnings: [] });
    expect(chat.pixels).toHaveLength(6 * 3 * size * size);
    const base = await readVideo(file('clip.mp4'), { size, template: 'base' });
    expect(base.frameTexts).toEqual(Array(24).fill(''));
    expect(base.contentKey).not.toBe(chat.contentKey);
  });

  test('the bytes of a video are read as its file', async () => {
    const bytes = readFileSync(file('clip.mp4'));
    const [named, given] = [
      await readVideo(file('clip.mp4'), { size, template: 'chat' }),
      await readVideo(`data:video/mp4;base64,${bytes.toString('base64')}`, { size, template: 'chat' }),
    ];
    expect(given.contentKey).toBe(named.contentKey);
  });

  test('sound alone and a truncated file are refused with the reason', async () => {
    const sound = await rejected(readVideo(file('sound.mp4'), { size, template: 'chat' }));
    expect(sound.message).toBe('"sound.mp4" has sound, but no video.');
    writeFileSync(file('cut.mp4'), readFileSync(file('clip.mp4')).subarray(0, 900));
    const cut = await rejected(readVideo(file('cut.mp4'), { size, template: 'chat' }));
    expect(cut.code).toBe('invalid_image');
    expect(cut.message).not.toContain(folder);
  });
});

test('a folder of frames is a frame a second, in the order of the numbers in the names', async () => {
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

test('frames have their own seconds, and one image is a video of one frame', async () => {
  const image = 'test/fixtures/images/exact.png';
  const timed = [0, 7].map((second) => ({ image, second }));
  expect((await readVideo(timed, { size, template: 'chat' })).frameTexts).toEqual(['0', '7']);
  expect((await readVideo(image, { size, template: 'chat' })).frameTexts).toEqual(['0']);
  const error = await rejected(readVideo([{ image, second: -1 }], { size, template: 'chat' }));
  expect(error.message).toContain('The second of a frame is -1');
});
