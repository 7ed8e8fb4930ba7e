/** The real `openai` client against the built server with the demonstration model. */
import { readFileSync } from 'node:fs';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBuilt, pictures, type Served, serve } from './served.ts';

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

describe.skipIf(!isBuilt)('openai (skipped without dist/ and models/demo)', () => {
  let server: Served;
  let client: OpenAI;

  beforeAll(async () => {
    server = await serve();
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('lists the model', async () => {
    const { data } = await client.models.list();
    expect(data).toMatchObject([{ id: 'demo', object: 'model', owned_by: 'cogvlm2' }]);
    expect(await client.models.retrieve('demo')).toMatchObject({ id: 'demo' });
  });

  it('answers about a picture, with the tokens that it takes', async () => {
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
    expect(usage.prompt_tokens_details).toMatchObject({ image_tokens: 66 });
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

  it('serves the helper, which is strict about roles and reasons', async () => {
    const runner = client.chat.completions.stream({
      model: 'demo',
      messages: [{ role: 'user', content: 'What is a receipt?' }],
      max_tokens: 8,
    });
    const final = await runner.finalChatCompletion();
    expect(final.choices[0]?.message.role).toBe('assistant');
    expect(final.choices[0]?.finish_reason).toMatch(/^(stop|length)$/);
  });

  it('tells errors as the client knows them', async () => {
    const ask = (more: object) =>
      client.chat.completions
        .create({ model: 'demo', messages: [{ role: 'user', content: 'Hm?' }], ...more })
        .then(
          () => null,
          (error: unknown) => (error instanceof APIError ? error : null),
        );
    expect(await ask({ model: 'gpt-4' })).toMatchObject({ status: 404, code: 'model_not_found' });
    expect(await ask({ top_p: 3 })).toMatchObject({ status: 400, code: 'invalid_value', param: 'top_p' });
    expect(await ask({ max_tokens: 5_000 })).toMatchObject({ status: 400, code: 'context_length_exceeded' });
  });
});
