/** The real `openai` client with a listening server and the demo model. */
import { readFileSync } from 'node:fs';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../cli/memory-terminal.ts';
import { type Listening, listening } from './in-process.ts';
import { hasDemo, pictures } from './served.ts';

const image = (name: string, detail?: 'low') => ({
  type: 'image_url' as const,
  image_url: {
    url: `data:image/png;base64,${readFileSync(`${pictures}/${name}`).toString('base64')}`,
    ...(detail && { detail }),
  },
});
const text = (words: string) => ({ type: 'text' as const, text: words });
const about = (name: string, words: string) => [
  { role: 'user' as const, content: [text(words), image(name)] },
];

describe.skipIf(!hasDemo)('openai (skipped without models/demo)', () => {
  let server: Listening;
  let client: OpenAI;

  beforeAll(async () => {
    server = await listening();
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  }, 600_000);
  afterAll(() => server[Symbol.asyncDispose]());

  it('lists the model', async () => {
    const { data } = await client.models.list();
    expect(data).toMatchObject([{ id: 'demo', object: 'model', owned_by: 'cogvlm2' }]);
    expect(await client.models.retrieve('demo')).toMatchObject({ id: 'demo' });
  });

  it('answers about an image, and counts its tokens', async () => {
    const answer = await client.chat.completions.create({
      model: 'demo',
      messages: about('sign.png', 'What is written here?'),
      max_tokens: 12,
    });
    const [choice] = answer.choices;
    expect(choice?.message.content).toMatch(/\S/);
    expect(choice?.finish_reason).toMatch(/^(stop|length)$/);
    const usage = answer.usage!;
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
    expect(usage.prompt_tokens_details).toMatchObject({ image_tokens: 146 });
    expect(answer).toMatchObject({ timings: { predicted_n: usage.completion_tokens } });
  });

  it('streams the same text, piece by piece, with usage at the end', async () => {
    const request = {
      model: 'default',
      messages: about('sign.png', 'What is written here?'),
      max_tokens: 12,
    };
    const whole = await client.chat.completions.create(request);
    const stream = await client.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]?.choices[0]).toMatchObject({ delta: { role: 'assistant', content: '' } });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(
      whole.choices[0]?.message.content,
    );
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.at(-2)).toMatchObject({ choices: [{ finish_reason: whole.choices[0]?.finish_reason }] });
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('works with the stream helper, which checks roles and reasons', async () => {
    const runner = client.chat.completions.stream({
      model: 'demo',
      messages: [{ role: 'user', content: 'What is a receipt?' }],
      max_tokens: 8,
    });
    const final = await runner.finalChatCompletion();
    expect(final.choices[0]?.message.role).toBe('assistant');
    expect(final.choices[0]?.finish_reason).toMatch(/^(stop|length)$/);
  });

  it('enforces a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: { words: { type: 'integer', minimum: 0, maximum: 9 } },
      required: ['words'],
      additionalProperties: false,
    };
    const ask = (response_format: OpenAI.ChatCompletionCreateParams['response_format']) =>
      client.chat.completions.create({
        model: 'demo',
        messages: about('sign.png', 'How many words?'),
        max_tokens: 60,
        ...(response_format && { response_format }),
      });
    const answer = await ask({ type: 'json_schema', json_schema: { name: 'count', schema } });
    expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual({ words: expect.any(Number) });
    const wrong = ask({
      type: 'json_schema',
      json_schema: { name: 'x', schema: { type: 'object', not: {} } },
    });
    await expect(wrong).rejects.toMatchObject({
      status: 400,
      code: 'invalid_json_schema',
      param: 'response_format',
    });
  });

  it('serves the responses API, whole and as a stream', async () => {
    const input: OpenAI.Responses.ResponseInput = [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'What is written here?' },
          { type: 'input_image', image_url: image('sign.png').image_url.url, detail: 'auto' },
        ],
      },
    ];
    const request = { model: 'demo', input, max_output_tokens: 12 };
    const whole = await client.responses.create(request);
    expect(whole.output_text).toMatch(/\S/);
    const stream = client.responses.stream(request);
    let text = '';
    for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta;
    const final = await stream.finalResponse();
    expect([text, final.output_text]).toEqual([whole.output_text, whole.output_text]);
    expect(final.usage?.input_tokens).toBe(whole.usage?.input_tokens);
  });

  it('gives log-probabilities, whole and streamed', async () => {
    const request = {
      model: 'demo',
      messages: [{ role: 'user' as const, content: 'Why?' }],
      max_tokens: 6,
      logprobs: true,
      top_logprobs: 2,
    };
    const whole = await client.chat.completions.create(request);
    const content = whole.choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(whole.usage!.completion_tokens);
    for (const { logprob, top_logprobs } of content) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top_logprobs[0]?.logprob).toBeGreaterThanOrEqual(logprob);
    }
    const streamed = client.chat.completions.stream({ ...request, stream: true });
    const final = await streamed.finalChatCompletion();
    const tokens = (list: typeof content) => list.map(({ token }) => token);
    expect(tokens(final.choices[0]?.logprobs?.content ?? [])).toEqual(tokens(content));
  });

  it('gives errors in the form that the client expects', async () => {
    const ask = (more: object) =>
      client.chat.completions
        .create({ model: 'demo', messages: [{ role: 'user', content: 'Hm?' }], ...more })
        .then(
          () => null,
          (error: unknown) => (error instanceof APIError ? error : null),
        );
    expect(await ask({ model: 'gpt-4' })).toMatchObject({ status: 404, code: 'model_not_found' });
    expect(await ask({ top_p: 3 })).toMatchObject({ status: 400, code: 'invalid_value', param: 'top_p' });
    expect(await ask({ messages: [{ role: 'user', content: 'word '.repeat(3_000) }] })).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      message: expect.stringMatching(/This model's maximum context length is 2048 tokens/),
    });
  });

  /** A long answer. The model continues if it samples at random. */
  const long = {
    model: 'demo',
    messages: [{ role: 'user' as const, content: 'Why?' }],
    max_tokens: 1_500,
    temperature: 100,
    seed: 1, // without one, an answer may end before it is cancelled
  };
  const running = async () => {
    const { running } = (await (await fetch(`${server.url}/slots`)).json()) as { running: number };
    return running;
  };

  it('stops the model when the stream is aborted, and when the client disconnects before it begins', async () => {
    const stream = await client.chat.completions.create({ ...long, stream: true });
    let pieces = 0;
    for await (const _ of stream) if (++pieces === 5) stream.controller.abort();
    await until(async () => (await running()) === 0);
    const leaver = new AbortController();
    const leaving = client.chat.completions.create(long, { signal: leaver.signal });
    await until(async () => (await running()) === 1);
    leaver.abort();
    await expect(leaving).rejects.toThrow(/abort/i);
    await until(async () => (await running()) === 0);
  });

  it('gives an error in a stream in the form that the client expects', async () => {
    const stream = await client.chat.completions.create({ ...long, stream: true });
    const read = async () => {
      let first = true;
      for await (const { id } of stream) {
        if (first) await client.post(`/cancel/${id}`);
        first = false;
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('is not retried by the client when the queue is full', async () => {
    let calls = 0;
    const counting = new OpenAI({
      baseURL: `${server.url}/v1`,
      apiKey: 'none',
      fetch: (...request) => {
        calls++;
        return fetch(...request);
      },
    });
    const others = Array.from({ length: 5 }, () => client.chat.completions.create({ ...long, stream: true }));
    const streams = await Promise.all(others);
    await expect(counting.chat.completions.create(long)).rejects.toMatchObject({
      status: 503,
      code: 'queue_full',
    });
    expect(calls).toBe(1);
    for (const stream of streams) stream.controller.abort();
    await until(async () => (await running()) === 0);
  });
});
