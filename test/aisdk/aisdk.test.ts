import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateObject, generateText, streamObject, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { cogvlm2 } from '../../src/aisdk/index.ts';
import { CogVLM2 } from '../../src/index.ts';
import { rejected } from '../checkpoint/caught.ts';
import { writeTinyModel } from '../model/tiny-model.ts';

/** The real functions of `ai`, and extract, with random weights. The text has no meaning, but format, counts and ends must be right. */

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-aisdk-'));
const image = readFileSync(fileURLToPath(new URL('../fixtures/images/exact.png', import.meta.url)));
const imageBase64 = image.toString('base64');
const Form = z.object({ name: z.string().max(6), count: z.int().min(0).max(99) });
let loaded: CogVLM2;
let model: ReturnType<typeof cogvlm2>;

beforeAll(async () => {
  const location = writeTinyModel(path.join(folder, 'tiny'), { max_position_embeddings: 1024 });
  loaded = await CogVLM2.load({ model: location, device: 'cpu', threads: 1 });
  model = cogvlm2(loaded);
});

afterAll(() => {
  loaded.dispose();
  rmSync(folder, { recursive: true });
});

const about = (
  ...content: ({ type: 'text'; text: string } | { type: 'image'; image: Uint8Array | string })[]
) => [{ role: 'user' as const, content }];
const weather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.enum(['Oslo', 'Lima']) }),
  execute: async () => 'cold',
});
const wait = tool({ inputSchema: z.object({}), execute: async () => 'done' });
const question = { type: 'text' as const, text: 'What is it?' };

describe('generateText', () => {
  test('gives the answer of the library, with usage and the time of each stage', async () => {
    const settings = { temperature: 1, seed: 3 };
    const { text, usage, finishReason, providerMetadata, warnings, response } = await generateText({
      model,
      messages: about({ type: 'image', image }, question),
      maxOutputTokens: 9,
      ...settings,
    });
    const answer = await loaded.ask(image, 'What is it?', { maxTokens: 9, ...settings }).result();
    expect(text).toBe(answer.text);
    expect(finishReason).toBe(answer.finishReason);
    expect(usage).toMatchObject({
      inputTokens: answer.usage.promptTokens,
      outputTokens: answer.usage.completionTokens,
    });
    expect(providerMetadata?.cogvlm2).toMatchObject({ seed: 3, imageTokens: 6 });
    expect(providerMetadata?.cogvlm2?.timings).toHaveProperty('prefillMs');
    expect(warnings).toEqual([]);
    expect(response.modelId).toBe('tiny');
  });

  test.each([
    ['base64', imageBase64],
    ['a data URL', `data:image/png;base64,${imageBase64}`],
  ])('accepts an image as %s', async (_, source) => {
    const ask = (data: Uint8Array | string) =>
      generateText({ model, messages: about({ type: 'image', image: data }, question), maxOutputTokens: 5 });
    expect((await ask(source)).text).toBe((await ask(image)).text);
  });

  test('puts a system message before the first question of a conversation', async () => {
    const { text } = await generateText({
      model,
      system: 'Be brief.',
      messages: [
        { role: 'user', content: 'One?' },
        { role: 'assistant', content: 'Two.' },
        { role: 'assistant', content: 'Or 3.' },
        { role: 'user', content: 'Three?' },
      ],
      maxOutputTokens: 6,
    });
    const history = [{ question: 'Be brief.\n\nOne?', answer: 'Two.\n\nOr 3.' }];
    const answer = await loaded.chat(null, history).ask('Three?', { maxTokens: 6 }).result();
    expect(text).toBe(answer.text);
  });

  test('warns about unsupported settings, and about images that the model ignores', async () => {
    const { warnings } = await generateText({
      model,
      messages: about({ type: 'image', image }, { type: 'image', image }, question),
      tools: { weather },
      maxOutputTokens: 2,
    });
    expect(warnings).toMatchObject([
      { type: 'other', message: expect.stringContaining('2 images') },
      { type: 'unsupported', feature: 'tools', details: expect.stringContaining('toolChoice') },
    ]);
  });

  test('passes penalties to the library', async () => {
    const settings = { temperature: 1, seed: 3, presencePenalty: 1.5, frequencyPenalty: 1 };
    const { text, warnings } = await generateText({
      model,
      prompt: 'Why?',
      maxOutputTokens: 12,
      ...settings,
    });
    const answer = await loaded.ask(null, 'Why?', { maxTokens: 12, ...settings }).result();
    expect([text, warnings]).toEqual([answer.text, []]);
  });

  test('describes an image without text', async () => {
    const { text } = await generateText({
      model,
      messages: about({ type: 'image', image }),
      maxOutputTokens: 4,
    });
    const answer = await loaded.ask(image, 'Describe this image.', { maxTokens: 4 }).result();
    expect(text).toBe(answer.text);
  });

  test.each([
    [{ data: imageBase64, mediaType: 'application/pdf' }, 'application/pdf'],
    [{ data: new URL('file:///etc/passwd'), mediaType: 'image/png' }, 'file:'],
  ])('refuses a file that is not the data of an image: %j', async (file, part) => {
    const messages = [{ role: 'user' as const, content: [{ type: 'file' as const, ...file }, question] }];
    await expect(generateText({ model, messages, maxRetries: 0 })).rejects.toThrow(part);
  });

  test('checks the options of this provider', async () => {
    const ask = (options: Record<string, number>) =>
      generateText({
        model,
        prompt: 'Why?',
        maxOutputTokens: 3,
        maxRetries: 0,
        providerOptions: { cogvlm2: options },
      });
    expect((await ask({ repetitionPenalty: 1.5 })).text).toBeTypeOf('string');
    expect((await rejected(ask({ penalty: 1 }))).message).toContain('penalty');
  });

  test('stops at an abort', async () => {
    const abortSignal = AbortSignal.abort(new Error('enough'));
    await expect(generateText({ model, prompt: 'Tell all.', abortSignal })).rejects.toThrow('enough');
  });
});

describe('streamText', () => {
  test('streams the text of generateText, then finish and usage', async () => {
    const call = { model, prompt: 'Tell me.', temperature: 1, seed: 5, maxOutputTokens: 20 };
    const stream = streamText(call);
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    const whole = await generateText(call);
    expect(text).toBe(whole.text);
    expect(await stream.finishReason).toBe(whole.finishReason);
    expect((await stream.usage).outputTokens).toBe(whole.usage.outputTokens);
    expect(await stream.warnings).toEqual([]);
  });

  test('an abort ends the stream, and the model answers the next question', async () => {
    const controller = new AbortController();
    const stream = streamText({
      model,
      prompt: 'Tell me all.',
      temperature: 1,
      seed: 9,
      maxOutputTokens: 500,
      abortSignal: controller.signal,
      onError: () => {},
    });
    const types: string[] = [];
    for await (const part of stream.fullStream) {
      types.push(part.type);
      if (part.type === 'text-delta') controller.abort();
    }
    expect(types).not.toContain('finish');
    expect((await generateText({ model, prompt: 'And?', maxOutputTokens: 2 })).text).toBeTypeOf('string');
  });

  test('the stream contains an error', async () => {
    const errors: unknown[] = [];
    const stream = streamText({
      model,
      prompt: 'x'.repeat(4000),
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    });
    await stream.consumeStream();
    expect(errors).toMatchObject([{ code: 'context_length_exceeded' }]);
  });
});

describe('tools', () => {
  const call = (toolChoice: 'required' | { type: 'tool'; toolName: 'weather' }) => ({
    model,
    tools: { weather, wait },
    toolChoice,
    prompt: 'Oslo?',
    temperature: 1,
    seed: 4,
  });

  test.each([['required' as const], [{ type: 'tool' as const, toolName: 'weather' as const }]])(
    'a tool is called with an input of its schema, streamed and whole: %j',
    async (toolChoice) => {
      const { toolCalls, toolResults, finishReason } = await generateText(call(toolChoice));
      expect(finishReason).toBe('tool-calls');
      const [called] = toolCalls;
      expect(['weather', 'wait']).toContain(called?.toolName);
      const city = expect.stringMatching(/^(?:Oslo|Lima)$/);
      expect(called?.input).toEqual(called?.toolName === 'weather' ? { city } : {});
      expect(toolResults[0]?.output).toBe(called?.toolName === 'weather' ? 'cold' : 'done');
      const stream = streamText(call(toolChoice));
      await stream.consumeStream();
      expect((await stream.toolCalls)[0]?.input).toEqual(called?.input);
    },
  );

  test('calls and results of earlier steps become text', async () => {
    const { text } = await generateText({
      model,
      messages: [
        { role: 'user', content: 'Oslo?' },
        {
          role: 'assistant',
          content: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'weather', input: { city: 'Oslo' } }],
        },
        {
          role: 'tool',
          content: [
            {
              type: 'tool-result',
              toolCallId: 'c1',
              toolName: 'weather',
              output: { type: 'text', value: 'cold' },
            },
          ],
        },
      ],
      maxOutputTokens: 5,
    });
    const history = [{ question: 'Oslo?', answer: 'weather({"city":"Oslo"})' }];
    const answer = await loaded.chat(null, history).ask('Result of weather: cold', { maxTokens: 5 }).result();
    expect(text).toBe(answer.text);
  });
});

describe('objects', () => {
  const call = () => ({
    model,
    schema: Form,
    messages: about({ type: 'image', image }, question),
    temperature: 1,
    seed: 4,
  });

  test('generateObject gives a valid object, also with random weights', async () => {
    const { object, finishReason } = await generateObject(call());
    expect(Form.parse(object)).toEqual(object);
    expect(finishReason).toBe('stop');
  });

  test('streamObject ends with the same object', async () => {
    const stream = streamObject(call());
    let last: unknown;
    for await (const partial of stream.partialObjectStream) last = partial;
    expect(last).toEqual((await generateObject(call())).object);
  });

  test('an object that is cut is an error of the SDK', async () => {
    await expect(generateObject({ ...call(), maxOutputTokens: 3, maxRetries: 0 })).rejects.toThrow(
      'No object',
    );
  });

  test('a schema that cannot be enforced is an error', async () => {
    const schema = z.object({ step: z.int().multipleOf(86_400) });
    const error = await rejected(generateObject({ ...call(), schema, maxRetries: 0 }));
    expect(error.message).toContain('#/properties/step has multipleOf 86400');
  });
});

describe('extract', () => {
  test('gives a value with the type of the schema, and usage', async () => {
    const { value, usage, text } = await loaded.extract(image, Form, { temperature: 1, seed: 2 });
    const typed: { name: string; count: number } = value;
    expect(typed).toEqual(JSON.parse(text));
    expect(usage.imageTokens).toBe(6);
  });

  test('applies defaults and transforms', async () => {
    const schema = z.object({ n: z.int().min(1).max(9) }).transform(({ n }) => ({ double: 2 * n }));
    const { value, text } = await loaded.extract(null, schema);
    expect(value.double).toBe(2 * JSON.parse(text).n);
  });

  test('the error for a cut answer has the number of tokens', async () => {
    const error = await rejected(loaded.extract(image, Form, { maxTokens: 4 }));
    expect(error.code).toBe('answer_incomplete');
    expect(error.message).toContain('cut after 4 tokens');
    expect(error.message).toContain('{"name"'.slice(0, 2));
  });

  test('the error for a failed refinement has its message', async () => {
    const never = z.object({ n: z.int().min(0).max(9) }).refine(() => false, 'n must be prime');
    const error = await rejected(loaded.extract(null, never));
    expect(error.code).toBe('answer_rejected');
    expect(error.message).toContain('n must be prime');
  });

  test.each([
    ['without a JSON schema', z.object({ when: z.date() }), 'no JSON schema'],
    [
      'that cannot be enforced',
      z.object({ tags: z.int().multipleOf(86_400) }),
      '#/properties/tags has multipleOf 86400',
    ],
  ])('a schema %s is refused before any work', async (_, schema, part) => {
    const error = await rejected(loaded.extract('nowhere.png', schema));
    expect(error.code).toBe('invalid_json_schema');
    expect(error.message).toContain(part);
  });

  test('an abort is an error, because a part of a value is useless', async () => {
    const error = await rejected(loaded.extract(null, Form, { signal: AbortSignal.abort() }));
    expect(error.code).toBe('aborted');
  });
});
