/** Difficult and hostile videos. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { probeVideo } from '../../src/video/probe.ts';
import { DEFAULT_VIDEO_LIMITS } from '../../src/video/program.ts';
import { readVideo, type VideoOptions } from '../../src/video/video.ts';
import { rejected } from '../checkpoint/caught.ts';
import { Clips, framesOf, hasFfmpeg } from './clips.ts';

// Programs start slowly on a loaded machine.
vi.setConfig({ testTimeout: 180_000 });

const clips = new Clips();
const size = 28;
const read = (source: string | Uint8Array, options: Partial<VideoOptions> = {}) =>
  readVideo(source, { size, template: 'chat', ...options });
const refusal = (source: string | Uint8Array, options: Partial<VideoOptions> = {}) =>
  rejected(read(source, options));
const temporaryFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('cogvlm2-video-'));

describe.skipIf(!hasFfmpeg)('the frames of a second', () => {
  const lossless = ['-c:v', 'libx264', '-qp', '0'];
  // The last whole second has no frame, because the video ends at 4.9.
  const ofTen = [0, 10, 20, 30, 40, 49];

  test.each([
    ['counter.mp4', lossless],
    ['counter.mkv', lossless],
    ['counter.mov', ['-c:v', 'mjpeg', '-q:v', '1']],
    ['late.ts', [...lossless, '-output_ts_offset', '500']],
    ['dts-only.avi', [...lossless, '-bf', '2']],
    ['hidden.webm', ['-c:v', 'libvpx', '-b:v', '1M', '-auto-alt-ref', '1', '-lag-in-frames', '16']],
    ['counter.mpg', ['-c:v', 'mpeg2video', '-r', '25', '-q:v', '1']],
    ['counter.flv', ['-c:v', 'flv1', '-q:v', '1']],
    ['deep.mp4', ['-c:v', 'libx265', '-pix_fmt', 'yuv420p10le', '-x265-params', 'lossless=1:log-level=0']],
  ])('%s', async (name, args) => {
    const { frameTexts, ...video } = await read(clips.counter(name, ...args));
    expect(frameTexts).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(video).toMatchObject({ width: 64, height: 36, warnings: [] });
    expect(framesOf({ frameTexts, ...video })).toEqual(ofTen);
  });

  test('of videos with a variable frame rate are the nearest in time', async () => {
    // 20 frames in the first two seconds, then one frame every 1.5 seconds.
    const times = "setpts='if(lt(N,20),N*0.1,2+(N-20)*1.5)/TB'";
    const file = clips.counter('variable.mkv', '-vf', times, '-fps_mode', 'vfr', ...lossless);
    const video = await read(file);
    expect(video.frameTexts).toHaveLength(24);
    // 2 is frame 20, 3.5 frame 21, 5 frame 22: second 3 and second 4 are both nearest to 3.5.
    expect(framesOf(video).slice(0, 7)).toEqual([0, 10, 20, 21, 21, 22, 23]);
  });

  test('with even spacing are counted, also if they are far apart', async () => {
    const file = clips.counter('slow.mp4', '-vf', 'setpts=N*4/TB', '-fps_mode', 'vfr', ...lossless);
    const video = await read(file, { template: 'base' });
    // A frame every 4 seconds: a minute has 15 of them.
    const frames = framesOf(video);
    expect([frames.length, Math.min(...frames), Math.max(...frames)]).toEqual([24, 0, 14]);
    expect(video.warnings).toEqual([
      expect.stringMatching(/^The model sees the first 60 of 19\d seconds\.$/),
    ]);
  });
});

describe.skipIf(!hasFfmpeg)('videos', () => {
  test('of 10 hours are read for 24 seconds, with a warning', async () => {
    const frames = 'color=gray:s=32x32:r=1/60:d=36000';
    const file = clips.make('ten-hours.mp4', '-f', 'lavfi', '-i', frames, '-preset', 'ultrafast');
    const { frameTexts, warnings } = await read(file);
    expect(frameTexts).toHaveLength(24);
    expect(warnings).toEqual(['The model sees the first 24 of 36000 seconds.']);
  });

  test('that are stored with a rotation are turned upright', async () => {
    const bytes = readFileSync(clips.counter('sideways.mp4'));
    // The matrix of the track: a quarter turn.
    const matrix = bytes.indexOf('tkhd') + 44;
    for (const [i, value] of [0, 0x10000, 0, -0x10000, 0, 0].entries())
      bytes.writeInt32BE(value, matrix + 4 * i);
    expect(await read(bytes)).toMatchObject({ width: 36, height: 64 });
  });

  test('that are truncated are read up to their end, with a warning', async () => {
    const whole = clips.make(
      'whole.mp4',
      ...['-f', 'lavfi', '-i', 'testsrc=size=320x180:rate=10:duration=5', '-movflags', '+faststart'],
    );
    const bytes = readFileSync(whole);
    const { frameTexts, warnings } = await read(bytes.subarray(0, Math.floor(bytes.length / 2)));
    expect(frameTexts.length).toBeGreaterThan(0);
    expect(frameTexts.length).toBeLessThan(6);
    expect(warnings[0]).toMatch(/^The video is cut short: it ends after [\d.]+ of 5 seconds\.$/);
  });

  test('with a damaged middle have the other frames at the right seconds', async () => {
    const file = clips.counter('hole.mkv', '-c:v', 'libx264', '-qp', '0', '-g', '10');
    const bytes = readFileSync(file);
    bytes.fill(0, Math.floor(bytes.length * 0.45), Math.floor(bytes.length * 0.55));
    const video = await read(bytes).catch((error: Error) => error);
    if (video instanceof Error) return expect(video.message).toMatch(/^The video /);
    for (const [i, frame] of framesOf(video).entries()) {
      const second = Number(video.frameTexts[i]);
      if (second < 5) expect(Math.abs(frame - 10 * second)).toBeLessThanOrEqual(5);
    }
  });

  test.each([
    [
      'no frames',
      () => clips.make('empty.mp4', '-f', 'lavfi', '-i', 'color=gray:s=32x32:d=1', '-t', '0'),
      /^"empty\.mp4" has no (?:frames|video)\.$/,
    ],
    [
      'sound only',
      () => clips.make('sound.mp4', '-f', 'lavfi', '-i', 'sine=duration=1'),
      /^"sound\.mp4" has sound, but no video\.$/,
    ],
    [
      'a name that begins with a dash',
      () => clips.make('-i.mp4', '-f', 'lavfi', '-i', 'sine=duration=1'),
      /^"-i\.mp4" has sound/,
    ],
  ])('with %s', async (_, make, message) => {
    const error = await refusal(make());
    expect(error).toMatchObject({ code: 'invalid_image', message: expect.stringMatching(message) });
  });

  test('with only the cover of a song are refused as audio', async () => {
    const cover = clips.make('cover.png', '-f', 'lavfi', '-i', 'color=red:s=32x32', '-frames:v', '1');
    const song = clips.path('sound.mp4');
    const args = [
      '-i',
      song,
      '-i',
      cover,
      '-map',
      '0',
      '-map',
      '1',
      '-c',
      'copy',
      '-disposition:v:0',
      'attached_pic',
    ];
    expect((await refusal(clips.make('song.mp4', ...args))).message).toBe(
      '"song.mp4" has sound, but no video.',
    );
  });

  test('of huge frames are refused before they are decoded', async () => {
    const file = clips.counter('huge.mp4');
    const error = await refusal(file, { limits: { maxPixels: 2000 } });
    expect(error).toMatchObject({
      code: 'image_too_large',
      message: '"huge.mp4" has frames of 64 x 36 pixels; the limit is 2000 pixels. Make them smaller.',
    });
  });

  test('with a name that is not UTF-8, or with spaces and quotes, are read', async () => {
    const odd = clips.counter(`it's 100% "odd": 1.mp4`);
    expect((await read(odd)).frameTexts).toHaveLength(6);
    if (process.platform !== 'linux') return;
    const name = Buffer.concat([Buffer.from(`${clips.folder}/caf`), Buffer.of(0xe9), Buffer.from('.mp4')]);
    writeFileSync(name, readFileSync(odd));
    expect((await read(`${clips.folder}/caf\udce9.mp4`)).frameTexts).toHaveLength(6);
  });
});

test.each([
  ['text', 'just a text', /^"text\.mp4" is text; MP4, .* videos, and PNG.* images, are read\.$/],
  ['nothing', '', /is empty/],
  ['zeros', Buffer.alloc(5000), /^"zeros\.mp4" is a file that begins with zero bytes/],
])('%s with the name of a video is refused, with the real type', async (name, content, message) => {
  writeFileSync(clips.path(`${name}.mp4`), content);
  const error = await refusal(clips.path(`${name}.mp4`));
  expect(error).toMatchObject({ code: 'invalid_image', message: expect.stringMatching(message) });
});

describe.skipIf(!hasFfmpeg)('ffmpeg never opens another file because of', () => {
  const secret = () => clips.counter('secret.mkv');
  /** Also polyglots, which begin like a video, but which ffmpeg reads as a manifest. */
  const tricks: [string, (url: string, file: string) => string][] = [
    ['hls', (url) => `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${url}\n#EXT-X-ENDLIST\n`],
    [
      'hls-file',
      (_, file) => `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${file}\n#EXT-X-ENDLIST\n`,
    ],
    ['concat', (_, file) => `ffconcat version 1.0\nfile '${file}'\n`],
    ['sdp', () => 'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n'],
    [
      'dash',
      (url) =>
        `\0\0\0 free<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1"><BaseURL>${url}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
    ],
  ];

  test.each(tricks)('%s', async (name, make) => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests++;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      const text = make(`http://127.0.0.1:${port}/secret.mp4`, secret());
      const file = clips.path(`${name}.mp4`);
      writeFileSync(file, text, 'latin1');
      for (const source of [file, Buffer.from(text, 'latin1')])
        expect((await refusal(source)).code).toBe('invalid_image');
      // Also without the check of the first bytes.
      const options = { ...DEFAULT_VIDEO_LIMITS, name: 'x' };
      expect(await rejected(probeVideo(file, options))).toMatchObject({
        code: 'invalid_image',
        message: expect.not.stringContaining(clips.folder),
      });
      expect(requests).toBe(0);
    } finally {
      server.close();
    }
  });
});

describe.skipIf(process.platform === 'win32')('a program that hangs', () => {
  const PATH = process.env.PATH;
  afterEach(() => {
    process.env.PATH = PATH;
  });

  /** A ffprobe that writes its process id and never ends. It is a child of a shell. */
  const hang = (): string => {
    const folder = clips.path('hanging');
    mkdirSync(folder, { recursive: true });
    const pid = path.join(folder, 'pid');
    writeFileSync(path.join(folder, 'ffprobe'), `#!/bin/sh\necho $$ > ${pid}\n/bin/sleep 30 &\nwait\n`);
    chmodSync(path.join(folder, 'ffprobe'), 0o755);
    process.env.PATH = folder;
    return pid;
  };
  const isRunning = (pid: string) => {
    try {
      return process.kill(Number(readFileSync(pid, 'utf8')), 0);
    } catch {
      return false;
    }
  };
  const video = Buffer.concat([Buffer.from('\0\0\0\x20ftypisom'), Buffer.alloc(100)]);

  test('is ended after the time limit, with an error', async () => {
    const before = temporaryFolders();
    const pid = hang();
    const error = await refusal(video, { limits: { timeoutMs: 1000 } });
    expect(error).toMatchObject({
      code: 'invalid_image',
      message: 'The video took longer than 1 seconds to read. Cut it, or make its frames smaller.',
    });
    await expect.poll(() => isRunning(pid)).toBe(false);
    expect(temporaryFolders()).toEqual(before);
  });

  test('is ended at an abort; a waiting caller can be aborted, too', async () => {
    const before = temporaryFolders();
    const pid = hang();
    const stop = new AbortController();
    const all = [1, 2, 3].map(() => refusal(video, { signal: stop.signal }));
    while (!existsSync(pid)) await sleep(10);
    stop.abort();
    for (const error of await Promise.all(all)) expect(error.code).toBe('aborted');
    await expect.poll(() => isRunning(pid)).toBe(false);
    expect(temporaryFolders()).toEqual(before);
  });

  test('that is missing is named, with the way to install it', async () => {
    process.env.PATH = clips.path('nowhere');
    const error = await refusal(video);
    expect(error.code).toBe('engine_unavailable');
    expect(error.message).toContain('there is no program ffprobe on this machine. Install ffmpeg');
  });
});
