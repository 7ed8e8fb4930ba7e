/** Batches over videos, with a real video model of random weights. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { findSources } from '../../src/batch/sources.ts';
import { library } from '../../src/cli/library-calls.ts';
import { runProgram } from '../../src/cli/program.ts';
import { cli, memoryTerminal } from '../cli/memory-terminal.ts';
import { writeTinyVideoModel } from '../model/tiny-model.ts';
import { hasRedis, startRedis } from '../queue/redis.ts';
import { Clips, hasFfmpeg } from '../video/clips.ts';

// Programs start slowly on a loaded machine.
vi.setConfig({ testTimeout: 180_000 });

const clips = new Clips();
const image = 'test/fixtures/images/exact.png';
const folder = clips.path('clips');
let model: string;

beforeAll(() => {
  model = writeTinyVideoModel(clips.path('model'));
  mkdirSync(path.join(folder, 'frames'), { recursive: true });
  copyFileSync(image, path.join(folder, 'frames/1.png'));
  copyFileSync(image, path.join(folder, 'frames/2.png'));
  writeFileSync(path.join(folder, 'text.mp4'), 'just a text');
  writeFileSync(path.join(folder, 'code.ts'), 'export {};');
  if (!hasFfmpeg) return;
  clips.make('clips/a.mp4', '-f', 'lavfi', '-i', 'color=gray:s=32x32:r=5:d=2');
  clips.make('clips/sound.mp4', '-f', 'lavfi', '-i', 'sine=duration=1');
});

const linesOf = (output: string) =>
  readFileSync(output, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const batch = (output: string, ...words: string[]) =>
  cli(
    ['batch', ...words, '-o', output, '-m', model, '-t', '1', '--max-tokens', '2', '--no-image-cache'],
    library,
  );

it('videos of a folder are sources for a video model only', () => {
  const names = (takesVideo: boolean) =>
    findSources([folder], ['q'], takesVideo).sources.map(({ input }) => path.relative(folder, input));
  expect(names(false)).toEqual(['frames/1.png', 'frames/2.png']);
  expect(names(true)).toEqual(expect.arrayContaining(['frames/1.png', 'text.mp4']));
  expect(names(true)).not.toContain('code.ts');
});

it('rows may have folders of frames, and their questions share one encoding', async () => {
  const rows = clips.path('rows.jsonl');
  writeFileSync(
    rows,
    '{"id":1,"video":"clips/frames","questions":["What?","Who?"]}\n{"id":2,"video":"none.mp4","question":"?"}\n',
  );
  const output = clips.path('rows-out.jsonl');
  expect((await batch(output, rows)).exitCode).toBe(8);
  const [first, second, missing] = linesOf(output);
  expect(first).toMatchObject({ id: 1, question: 'What?', usage: { imageTokens: 12 }, pageCount: null });
  expect(second).toMatchObject({ id: 1, question: 'Who?', timings: { visionMs: 0, imageMs: 0 } });
  expect(missing).toMatchObject({ id: 2, error: { code: 'file_not_found' } });
});

describe.skipIf(!hasFfmpeg)('with ffmpeg', () => {
  it('writes an answer or an error for each video of a folder, and a resumed run asks nothing again', async () => {
    const output = clips.path('out.jsonl');
    const words = [folder, '--question', 'What?'];
    const run = await batch(output, ...words);
    expect(run.exitCode).toBe(8);
    expect(run.err).toContain('skipped 1 file that is no image, PDF or video.');
    const byName = Object.fromEntries(
      linesOf(output).map((line) => [path.relative(folder, line.input), line]),
    );
    expect(byName['a.mp4']).toMatchObject({
      usage: { imageTokens: 3 * 6 },
      finishReason: expect.any(String),
    });
    expect(byName['text.mp4'].error.code).toBe('invalid_image');
    expect(byName['sound.mp4'].error).toEqual({
      code: 'invalid_image',
      message: '"sound.mp4" has sound, but no video.',
    });
    expect(Object.keys(byName)).toHaveLength(5);
    expect((await batch(output, ...words)).err).toContain('5 of them from earlier runs');
  });

  it('writes captions beside the videos', async () => {
    const clip = clips.path('clips/a.mp4');
    const words = ['batch', clip, '--question', 'What?', '--captions', '-m', model, '-t', '1'];
    expect((await cli([...words, '--max-tokens', '2'], library)).exitCode).toBe(0);
    expect(existsSync(clips.path('clips/a.txt'))).toBe(true);
  });

  it('rows may have data URLs of videos', async () => {
    const url = `data:video/mp4;base64,${readFileSync(clips.path('clips/a.mp4')).toString('base64')}`;
    const rows = clips.path('urls.jsonl');
    writeFileSync(rows, `${JSON.stringify({ video: url, question: 'What?' })}\n`);
    const output = clips.path('urls-out.jsonl');
    expect((await batch(output, rows)).exitCode).toBe(0);
    expect(linesOf(output)[0]).toMatchObject({
      input: expect.stringMatching(/^data:video/),
      usage: { imageTokens: 18 },
    });
  });

  it.skipIf(!hasRedis)(
    'workers answer about videos that are sent, and about videos of a shared folder',
    async () => {
      await using redis = await startRedis();
      const worker = memoryTerminal();
      const words = ['worker', redis.url, '-m', model, '-t', '1', '--shared', clips.folder];
      const working = runProgram(words, { terminal: worker.terminal, library });
      for (const way of [[], ['--by-path']]) {
        const output = clips.path(`queued${way.length}.jsonl`);
        const clip = clips.path('clips/a.mp4');
        const asked = await batch(output, clip, '--question', 'What?', '--queue', redis.url, ...way);
        expect(asked.exitCode, asked.err).toBe(0);
        expect(linesOf(output)[0]).toMatchObject({ usage: { imageTokens: 18 } });
      }
      worker.interrupt();
      expect(await working).toBe(0);
    },
    180_000,
  );
});
