/** Videos on the command line, with a real video model with random weights. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { library } from '../../src/cli/library-calls.ts';
import { writeTinyVideoModel } from '../model/tiny-model.ts';
import { Clips, hasFfmpeg } from '../video/clips.ts';
import { cli } from './memory-terminal.ts';

const clips = new Clips();
let model: string[];
beforeAll(() => {
  model = [
    '-m',
    writeTinyVideoModel(clips.path('model')),
    '-t',
    '1',
    '--max-tokens',
    '2',
    '--no-image-cache',
  ];
  mkdirSync(clips.path('frames'));
  for (const name of ['1.png', '2.png'])
    copyFileSync('test/fixtures/images/exact.png', clips.path(`frames/${name}`));
});

it('ask accepts a folder of frames', { timeout: 180_000 }, async () => {
  const asked = await cli(['ask', clips.path('frames'), 'What?', 'Who?', '--json', ...model], library);
  expect(asked.exitCode, asked.err).toBe(0);
  expect(JSON.parse(asked.out).answers).toMatchObject([{ usage: { imageTokens: 12 } }, {}]);
});

it('chat accepts a folder of frames', { timeout: 180_000 }, async () => {
  const input = 'What?\nWho?\n/history\n';
  const chat = await cli(['chat', clips.path('frames'), ...model], library, { input });
  expect(chat.exitCode, chat.err).toBe(0);
  expect(chat.out).toContain('>>> Who?');
});

it('a missing video is refused before the model is loaded', async () => {
  const run = await cli(['chat', clips.path('none.mp4'), ...model], library, { input: '' });
  expect(run).toMatchObject({ exitCode: 3, err: expect.stringContaining('There is no file') });
});

describe.skipIf(!hasFfmpeg)('with ffmpeg', () => {
  it('ask prints the warnings of a video on standard error', async () => {
    const clip = clips.make('long.mp4', '-f', 'lavfi', '-i', 'color=gray:s=32x32:r=1:d=30');
    const run = await cli(['ask', clip, 'What?', ...model], library);
    expect(run.exitCode, run.err).toBe(0);
    expect(run.err).toContain('The model sees the first 24 of 30 seconds.');
  });
});
