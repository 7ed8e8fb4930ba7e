/** Videos in requests, with a real video model with random weights. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CogVLM2 } from '../../src/generate/cogvlm2.ts';
import { writeTinyVideoModel } from '../model/tiny-model.ts';
import { Clips, hasFfmpeg } from '../video/clips.ts';
import { type TestApp, testApp } from './in-process.ts';
import { scriptedHost } from './scripted-host.ts';

// Programs start slowly on a loaded machine.
vi.setConfig({ testTimeout: 180_000 });

const clips = new Clips();
const png = readFileSync('test/fixtures/images/exact.png').toString('base64');
const frame = (second: number) => ({ second, url: `data:image/png;base64,${png}` });
const about = (...parts: object[]) => ({ messages: [{ role: 'user', content: parts }], max_tokens: 3 });
const video = (url: unknown) => ({ type: 'video_url', video_url: { url } });
const frames = (list: unknown) => ({ type: 'video_frames', video_frames: list });
const text = { type: 'text', text: 'What moves?' };
const dataUrl = (bytes: Uint8Array | string, type = 'video/mp4') =>
  `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;

interface Answer {
  choices: unknown[];
  usage: { prompt_tokens: number; prompt_tokens_details: { image_tokens: number } };
  warnings?: string[];
}

async function answerOf(response: Response): Promise<Answer> {
  const body = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(200);
  return body as Answer;
}

async function errorOf(response: Response) {
  const { error } = (await response.json()) as { error: { code: string; message: string; param: string } };
  return { status: response.status, ...error };
}

describe('a video model', () => {
  const { PATH } = process.env;
  let server: TestApp;
  beforeAll(async () => {
    const model = writeTinyVideoModel(clips.path('model'));
    const load = () => CogVLM2.load({ model, device: 'cpu', threads: 1, contextSize: 2048 });
    server = await testApp({ load });
    await server.started;
  });
  afterAll(() => {
    process.env.PATH = PATH;
  });

  it('reports that it accepts videos', async () => {
    expect(await (await server.app.request('/v1/models')).json()).toMatchObject({
      data: [{ architecture: { input_modalities: ['text', 'image', 'video'] } }, {}],
    });
    expect(await (await server.app.request('/props')).json()).toMatchObject({
      modalities: { vision: true, video: true },
      default_generation_settings: { template: 'chat' },
      video: { files: hasFfmpeg, max_frames: 24, max_second: 999 },
    });
  });

  it('answers about frames with their seconds, and counts their tokens', async () => {
    const asked = about(frames([frame(0), frame(7)]), text);
    const { usage } = await answerOf(await server.chat(asked));
    const counted = await (await server.post('/v1/chat/completions/input_tokens', asked)).json();
    expect(counted).toMatchObject({ input_tokens: usage.prompt_tokens, image_tokens: 2 * 6 });
    // 2 x 2 rows, boi and eoi for each frame.
    expect(usage.prompt_tokens_details.image_tokens).toBe(2 * 6);
  });

  it('uses one image as a video of one frame', async () => {
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } };
    const { usage } = await answerOf(await server.chat(about(image, text)));
    expect(usage.prompt_tokens_details.image_tokens).toBe(6);
  });

  it.each([
    ['no frames', frames([]), 'messages[0].content[0].video_frames has 0 frames; it must have 1 to 24.'],
    ['25 frames', frames(Array(25).fill(frame(1))), 'has 25 frames; it must have 1 to 24.'],
    ['a frame without its second', frames([{ url: 'data:,' }]), 'video_frames[0] must be {"second":0'],
    ['a second below 0', frames([frame(-1)]), 'video_frames[0].second must be from 0 to 999; got -1.'],
    [
      'an address',
      video('https://videos.example/a.mp4'),
      'must be a data URL such as data:video/mp4;base64,',
    ],
    ['a path', video('file:///etc/passwd'), 'must be a data URL'],
    ['text', video(dataUrl('some text')), 'The video (sent as video/mp4) is text; MP4, MOV'],
    ['a playlist', video(dataUrl('#EXTM3U\nhttp://127.0.0.1/a.ts\n')), 'is text; MP4, MOV'],
    [
      'an image',
      video(`data:video/mp4;base64,${png}`),
      'is an image in the format PNG: send it as image_url.',
    ],
    ['no base64', video('data:video/mp4;base64,@@@@'), 'not base64'],
  ])('refuses %s with one sentence', async (_, part, message) => {
    const error = await errorOf(await server.chat(about(part, text)));
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining(message) });
  });

  it('refuses a video that is not base64 with the code for images', async () => {
    const error = await errorOf(await server.chat(about(video('data:video/mp4;base64,@@@@'), text)));
    expect(error).toMatchObject({ status: 400, code: 'invalid_image', param: 'messages' });
  });

  it('refuses two videos in one message', async () => {
    const error = await errorOf(await server.chat(about(frames([frame(0)]), frames([frame(0)]), text)));
    expect(error.message).toContain('has 2 videos; the model was trained on one');
  });

  it('describes how to send frames if ffmpeg is missing', async () => {
    process.env.PATH = clips.path('nowhere');
    const start = Buffer.concat([Buffer.from('\0\0\0\x20ftypisom'), Buffer.alloc(100)]);
    const error = await errorOf(await server.chat(about(video(dataUrl(start)), text)));
    process.env.PATH = PATH;
    expect(error).toMatchObject({ status: 400, code: 'unsupported' });
    expect(error.message).toMatch(/^This server has no ffmpeg.*"video_frames"/);
  });

  describe.skipIf(!hasFfmpeg)('with ffmpeg', () => {
    it('answers about a file, whole or as a stream, with a warning about omitted seconds', async () => {
      const long = 'color=gray:s=32x32:r=1:d=40';
      const file = readFileSync(clips.make('long.mp4', '-f', 'lavfi', '-i', long));
      const answer = await answerOf(await server.chat(about(video(dataUrl(file)), text)));
      expect(answer.usage.prompt_tokens_details.image_tokens).toBe(24 * 6);
      expect(answer.warnings).toContain('The model sees the first 24 of 40 seconds.');
    });

    it('shares the frames between the answers of a stream', async () => {
      const file = readFileSync(clips.make('short.mp4', '-f', 'lavfi', '-i', 'color=gray:s=32x32:r=5:d=1'));
      const asked = { ...about(video(dataUrl(file)), text), template: 'base', n: 2, stream: true };
      expect(await (await server.chat(asked)).text()).toContain('data: [DONE]');
    });

    it('refuses frames with more pixels than --max-image-pixels', async () => {
      // The limit here is a million.
      const file = clips.make('large.mp4', '-f', 'lavfi', '-i', 'color=gray:s=1200x1000:d=0.1');
      const error = await errorOf(await server.chat(about(video(dataUrl(readFileSync(file))), text)));
      expect(error).toMatchObject({ status: 400, code: 'image_too_large' });
    });
  });
});

it('a model of images refuses videos with one sentence', async () => {
  const server = await testApp({ load: scriptedHost().load });
  await server.started;
  for (const part of [video(dataUrl('x')), frames([frame(0)])]) {
    const error = await errorOf(await server.chat(about(part, text)));
    expect(error).toMatchObject({ status: 400, code: 'unsupported' });
    expect(error.message).toBe(
      'messages[0].content[0] is a video, but scripted sees images. Serve a video model such as cogvlm2-llama3-caption, or send one frame as image_url.',
    );
  }
  const props = await (await server.app.request('/props')).json();
  expect(props).toMatchObject({ modalities: { video: false } });
  expect(props).not.toHaveProperty('video');
});
