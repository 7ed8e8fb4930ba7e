/**
 * Variants of requests from clients of other servers, with the demo model. Each is accepted, or refused with the name of the field. Most
 * are from public bug reports about similar servers.
 */
import { readFileSync } from 'node:fs';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsIn, type TestApp, testApp } from './in-process.ts';
import { hasDemo, pictures } from './served.ts';

const receipt = readFileSync(`${pictures}/receipt.png`).toString('base64');
const url = `data:image/png;base64,${receipt}`;
const question = 'What is the total?';
const image = { type: 'image_url', image_url: { url } };
const text = { type: 'text', text: question };
const asked = { messages: [{ role: 'user', content: [image, text] }] };

interface Reply {
  status: number;
  content: string | null;
  imageTokens: number | undefined;
  warnings: string[];
  error: { message: string; param: string | null; code: string } | undefined;
}

describe.skipIf(!hasDemo)('with the demo model (skipped without models/demo)', () => {
  let server: TestApp;
  let total: string | null;
  beforeAll(async () => {
    server = await testApp({ rules: { maxPixels: 64_000_000 } });
    await server.started;
    total = (await ask(asked)).content;
  }, 600_000);
  afterAll(() => server?.engine.stop());

  const post = (body: object | string) =>
    server.post('/v1/chat/completions', typeof body === 'string' ? body : { max_tokens: 24, ...body });
  async function ask(body: object | string): Promise<Reply> {
    const response = await post(body);
    const json = (await response.json()) as OpenAI.ChatCompletion & Pick<Reply, 'warnings' | 'error'>;
    const details = json.usage?.prompt_tokens_details as { image_tokens?: number } | undefined;
    return {
      status: response.status,
      content: json.choices?.[0]?.message.content ?? null,
      imageTokens: details?.image_tokens,
      warnings: json.warnings ?? [],
      error: json.error,
    };
  }

  it('reads the receipt', () => expect(total).toMatch(/\d/));

  describe('an image', () => {
    it.each([
      ['message.images', { messages: [{ role: 'user', content: question, images: [receipt] }] }],
      ['message.images with data URLs', { messages: [{ role: 'user', content: question, images: [url] }] }],
      ['images beside messages', { messages: [{ role: 'user', content: question }], images: [receipt] }],
      [
        'base64 as the address',
        { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: receipt }, text] }] },
      ],
      [
        'input_image',
        { messages: [{ role: 'user', content: [{ type: 'input_image', image_url: url }, text] }] },
      ],
    ])('in %s is used', async (_, body) => {
      expect(await ask(body)).toMatchObject({ status: 200, content: total, imageTokens: 146, warnings: [] });
    });

    it.each([
      ['parameters', `data:image/png;charset=utf-8;base64,${receipt}`],
      ['a name', `data:image/png;name=r.png;base64,${receipt}`],
      ['lines of 76 characters', `data:image/png;base64,${receipt.replaceAll(/.{76}/g, '$&\n')}`],
      ['a line break at the end', `${url}\n`],
      ['no padding', url.replace(/=+$/, '')],
      ['another type', url.replace('image/png', 'application/octet-stream')],
    ])('is the same image in a data URL with %s', async (_, form) => {
      const content = [{ type: 'image_url', image_url: { url: form } }, text];
      expect(await ask({ messages: [{ role: 'user', content }] })).toMatchObject({ content: total });
    });

    it('is described if it has no text, also in an earlier turn', async () => {
      const alone = { role: 'user', content: [image] };
      expect(await ask({ messages: [alone] })).toMatchObject({ status: 200, imageTokens: 146 });
      const before = [
        alone,
        { role: 'assistant', content: 'A receipt.' },
        { role: 'user', content: question },
      ];
      expect(await ask({ messages: before })).toMatchObject({ status: 200, imageTokens: 146 });
    });
  });

  describe('a format', () => {
    const schema = {
      type: 'object',
      properties: { total: { type: 'integer', minimum: 0, maximum: 99 } },
      required: ['total'],
    };
    it.each([
      ['response_format', { response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } }],
      ['json_object with a schema', { response_format: { type: 'json_object', schema } }],
      ['guided_json', { guided_json: schema }],
      ['json_schema', { json_schema: schema }],
      ['structured_outputs', { structured_outputs: { json: schema } }],
      ['format', { format: schema }],
    ])('in %s is enforced', async (_, fields) => {
      const { content } = await ask({ ...asked, max_tokens: 40, ...fields });
      expect(JSON.parse(content!)).toEqual({ total: expect.any(Number) });
    });

    it.each([
      [{ structured_outputs: { choice: ['yes', 'no'] } }],
      [{ guided_choice: ['yes', 'no'] }],
      [{ guided_regex: 'yes|no' }],
      [{ regex: 'yes|no' }],
    ])('%j is enforced', async (fields) => {
      expect((await ask({ ...asked, ...fields })).content).toMatch(/^(?:yes|no)$/);
    });

    it('is not complete if a stop string cut the answer', async () => {
      const tool = { type: 'function', function: { name: 'pay', parameters: schema } };
      const body = { ...asked, max_tokens: 40, tools: [tool], tool_choice: 'required', stop: '"' };
      const { choices } = (await (await post(body)).json()) as OpenAI.ChatCompletion;
      expect(choices[0]).toMatchObject({
        finish_reason: 'stop',
        stop_reason: '"',
        message: { tool_calls: [{ function: { name: 'pay', arguments: '{' } }] },
      });
    });

    it('is accepted together with a stop string', async () => {
      const { status, content } = await ask({
        ...asked,
        max_tokens: 40,
        guided_json: schema,
        stop: ['\n\n'],
      });
      expect([status, JSON.parse(content!)]).toEqual([200, { total: expect.any(Number) }]);
    });
  });

  describe('tools', () => {
    const tools = [
      {
        type: 'function',
        function: {
          name: 'pay',
          description: 'Pays a receipt',
          parameters: {
            type: 'object',
            properties: { amount: { $ref: '#/$defs/Amount' } },
            required: ['amount'],
            $defs: { Amount: { type: 'integer', minimum: 0, maximum: 999 } },
          },
        },
      },
      { type: 'function', function: { name: 'wait', parameters: { type: 'object', properties: {} } } },
    ];
    const named = { type: 'function', function: { name: 'pay' } };
    type Choice = OpenAI.ChatCompletion.Choice;

    it('without tool_choice give a warning and an answer as text, as in every chat of Open WebUI', async () => {
      const reply = await ask({ ...asked, tools });
      expect(reply).toMatchObject({ status: 200, content: total });
      expect(reply.warnings).toEqual([expect.stringMatching(/^tools were ignored/)]);
    });

    it.each([
      ['a named one', named],
      ['any', 'required'],
    ])('%s is called, whole and streamed', async (_, tool_choice) => {
      const body = { ...asked, tools, tool_choice, max_tokens: 60 };
      const { choices } = (await (await post(body)).json()) as OpenAI.ChatCompletion;
      const { message, finish_reason } = choices[0] as Choice;
      expect([message.content, finish_reason]).toEqual([null, 'tool_calls']);
      const [call] = message.tool_calls!;
      expect(call).toMatchObject({ type: 'function', id: expect.stringMatching(/^call_/) });
      const called = call as OpenAI.ChatCompletionMessageFunctionToolCall;
      expect(['pay', 'wait']).toContain(called.function.name);
      const given = JSON.parse(called.function.arguments);
      expect(given).toEqual(called.function.name === 'pay' ? { amount: expect.any(Number) } : {});

      const chunks = eventsIn(
        await (await post({ ...body, stream: true })).text(),
      ) as OpenAI.ChatCompletionChunk[];
      const deltas = chunks.flatMap(
        (chunk) => chunk.choices?.flatMap(({ delta }) => delta.tool_calls ?? []) ?? [],
      );
      expect(deltas[0]?.function?.name).toBe(called.function.name);
      expect(deltas.slice(1).every(({ id, function: f }) => id === undefined && f?.name === undefined)).toBe(
        true,
      );
      expect(deltas.map((delta) => delta.function?.arguments).join('')).toBe(called.function.arguments);
    });
  });

  describe('numbers', () => {
    it('a seed of 64 bits keeps its digits', async () => {
      const body = (seed: string) =>
        `{"messages":[{"role":"user","content":"Why?"}],"temperature":5,"max_tokens":12,"seed":${seed}}`;
      const [first, again, next] = [
        await ask(body('9007199254740993')),
        await ask(body('9007199254740993')),
        await ask(body('9007199254740992')),
      ];
      expect(first.status).toBe(200);
      expect(first.content).toBe(again.content);
      expect(first.content).not.toBe(next.content);
      expect((await ask(body('18446744073709551616'))).error).toMatchObject({ param: 'seed' });
    });

    it('max_tokens beyond the context is an upper bound', async () => {
      const { status } = await ask({
        messages: [{ role: 'user', content: question }],
        max_tokens: 100_000,
        stop: ['.', ' '],
      });
      expect(status).toBe(200);
    });

    it('n gives the answers of consecutive seeds, whole and streamed', async () => {
      const body = { ...asked, n: 2, temperature: 1, seed: 5 };
      const { choices, usage } = (await (await post(body)).json()) as OpenAI.ChatCompletion;
      expect(choices.map(({ index }) => index)).toEqual([0, 1]);
      const first = await ask({ ...asked, temperature: 1, seed: 5 });
      const second = await ask({ ...asked, temperature: 1, seed: 6 });
      expect(choices.map(({ message }) => message.content)).toEqual([first.content, second.content]);
      expect(usage!.completion_tokens).toBeGreaterThan(choices.length);
      const chunks = eventsIn(
        await (await post({ ...body, stream: true })).text(),
      ) as OpenAI.ChatCompletionChunk[];
      const textOf = (wanted: number) =>
        chunks
          .flatMap((chunk) => chunk.choices?.filter(({ index }) => index === wanted) ?? [])
          .map(({ delta }) => delta.content ?? '')
          .join('');
      expect([textOf(0), textOf(1)]).toEqual([first.content, second.content]);
    });
  });

  it('an answer is continued', async () => {
    const messages = [...asked.messages, { role: 'assistant', content: 'The total is' }];
    const { content, status } = await ask({
      messages,
      continue_final_message: true,
      add_generation_prompt: false,
    });
    expect(status).toBe(200);
    expect(content).not.toMatch(/^The total is/);
  });

  it('a prompt that is longer than the context is refused with the text that clients expect', async () => {
    const { status, error } = await ask({ messages: [{ role: 'user', content: 'word '.repeat(3_000) }] });
    expect(status).toBe(400);
    expect(error).toMatchObject({
      code: 'context_length_exceeded',
      message: expect.stringMatching(
        /^This model's maximum context length is 2048 tokens\. However, the prompt is too long: it has \d+ tokens/,
      ),
      n_prompt_tokens: expect.any(Number),
      n_ctx: 2048,
    });
  });
});
