import { describe, expect, it } from 'vitest';
import { eventsOf } from '../../web/api/chat.ts';
import { apiErrorOf } from '../../web/api/connection.ts';
import { messagesOf } from '../../web/api/messages.ts';
import { samplingValue } from '../../web/api/sampling.ts';
import { serverInfo } from '../../web/api/server-info.ts';
import { eventData } from '../../web/api/sse.ts';
import { secondsLeft } from '../../web/conversation/time-left.ts';
import { emptyAnswer } from '../../web/conversation/tree.ts';
import type { Turn } from '../../web/conversation/types.ts';

/** The data of a stream that arrives in pieces of this size. */
async function dataOf(text: string, pieceBytes: number): Promise<string[]> {
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += pieceBytes)
        controller.enqueue(bytes.slice(at, at + pieceBytes));
      controller.close();
    },
  });
  const data: string[] = [];
  for await (const each of eventData(body)) data.push(each);
  return data;
}

describe('server-sent events', () => {
  const stream = ': ping\n\ndata: {"a":"总计"}\n\nevent: x\r\ndata: one\r\ndata:two\r\n\r\ndata: [DONE]';

  it.each([1, 2, 3, 7, 1000])('are equal in pieces of %i bytes', async (pieceBytes) => {
    expect(await dataOf(stream, pieceBytes)).toEqual(['{"a":"总计"}', 'one\ntwo', '[DONE]']);
  });

  it.each([1, 2, 3, 7, 1000])('may end their lines with \\r, in pieces of %i bytes', async (pieceBytes) => {
    expect(await dataOf('data: one\rdata:\rdata:two\r\rdata: end\r', pieceBytes)).toEqual([
      'one\n\ntwo',
      'end',
    ]);
  });
});

describe('a chunk', () => {
  it('has progress, text, the end, usage and warnings', () => {
    const events = [
      { choices: [{ delta: { role: 'assistant', content: '' } }], warnings: ['One image is used.'] },
      { choices: [], prompt_progress: { stage: 'vision', processed: 3, total: 63 } },
      { choices: [], prompt_progress: { stage: 'prefill', processed: 2306, total: 2318 } },
      { choices: [{ delta: { content: '总' } }] },
      { choices: [{ delta: {}, finish_reason: 'length' }], timings: { predicted_per_second: 8.5 } },
      {
        choices: [],
        usage: { prompt_tokens: 2318, completion_tokens: 4, prompt_tokens_details: { image_tokens: 2306 } },
      },
      { choices: 'nothing that we know' },
    ].flatMap((chunk) => [...eventsOf(chunk)]);
    expect(events).toEqual([
      { type: 'warning', message: 'One image is used.' },
      { type: 'progress', stage: 'vision', done: 3, total: 63 },
      { type: 'progress', stage: 'prefill', done: 2306, total: 2318 },
      { type: 'text', text: '总' },
      { type: 'finished', reason: 'length' },
      { type: 'timings', tokensPerSecond: 8.5 },
      { type: 'usage', usage: { promptTokens: 2318, imageTokens: 2306, completionTokens: 4 } },
    ]);
  });

  it('of an error has the code of the API, or a general message', () => {
    expect(apiErrorOf({ error: { code: 'queue_full', message: 'Eight wait.' } }, 503)).toMatchObject({
      code: 'queue_full',
      message: 'Eight wait.',
    });
    expect(apiErrorOf('<html>', 502)).toMatchObject({ code: 'http_502', message: 'HTTP 502' });
    expect(apiErrorOf({ status: 'loading', progress: 0.4 }, 503).progress).toBe(0.4);
  });
});

describe('messages', () => {
  const turn = (question: string, answer: string): Turn => ({
    id: question,
    parentId: null,
    createdAt: 0,
    question,
    imageId: null,
    region: null,
    answer: { ...emptyAnswer, text: answer },
  });

  it('have past turns that were answered, and the image with the question', () => {
    const path = [turn('one', 'first'), turn('lost', ''), turn('two', '')];
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } } as const;
    expect(messagesOf(path, image)).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'first' },
      {
        role: 'user',
        content: [image, { type: 'text', text: 'two' }],
      },
    ]);
  });

  it('are plain text without an image', () => {
    expect(messagesOf([turn('one', '')], null)).toEqual([{ role: 'user', content: 'one' }]);
  });
});

describe('the properties of the server', () => {
  it('are read, and missing ones are unknown', () => {
    expect(serverInfo({}, { data: [{ id: 'm' }] })).toMatchObject({
      model: 'm',
      isDemo: false,
      imageSize: null,
    });
    const info = serverInfo(
      {
        model: 'demo',
        is_demo: true,
        n_ctx: 2048,
        image: { size: 224, tokens: 66, max_pixels: 1000 },
        limits: { max_body_bytes: 5000, max_answer_tokens: 100 },
        default_generation_settings: { temperature: 0.5, top_p: 'much' },
      },
      {},
    );
    expect(info).toEqual({
      model: 'demo',
      isDemo: true,
      secondsPerImage: null,
      video: null,
      slots: 1,
      contextTokens: 2048,
      imageSize: 224,
      imageTokens: 66,
      pixelLimit: 1000,
      bodyLimitBytes: 5000,
      answerLimitTokens: 100,
      defaults: { temperature: 0.5 },
    });
  });
});

describe('a sampling field', () => {
  const whole = { min: 0, max: 200, isWhole: true };
  it.each([
    ['', null],
    ['  ', null],
    ['40', 40],
    ['0', 0],
    ['40.5', 'invalid'],
    ['201', 'invalid'],
    ['-1', 'invalid'],
    ['many', 'invalid'],
    ['Infinity', 'invalid'],
  ])('takes %j as %j', (text, value) => {
    expect(samplingValue(whole, text)).toBe(value);
  });
});

describe('the time left', () => {
  it('is estimated from the progress so far, but not from too little progress', () => {
    expect(secondsLeft(21, 63, 10_000)).toBe(20);
    expect(secondsLeft(0, 63, 10_000)).toBeNull();
    expect(secondsLeft(1, 63, 100)).toBeNull();
    expect(secondsLeft(63, 63, 10_000)).toBeNull();
  });
});
