import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../src/server/api-error.ts';
import { readChatRequest } from '../../../src/server/chat/request.ts';

const messages = [{ role: 'user', content: 'Why?' }];
const rules = { names: ['demo', 'also'], adapters: [], maxAnswers: 2, imagePrompt: null };
const read = (fields: object, language?: string) => readChatRequest({ messages, ...fields }, rules, language);

function refused(body: unknown): ApiError {
  try {
    readChatRequest(body, rules);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

it('omits absent fields, so that the defaults of the library apply', () => {
  expect(read({ temperature: null, stop: null })).toMatchObject({
    options: {},
    stream: false,
    includeUsage: false,
    returnProgress: false,
  });
});

it('passes options to the library under its names', () => {
  const { options, maxTokens } = read({
    temperature: 0.7,
    top_p: 0.9,
    top_k: 5,
    min_p: 0.1,
    repetition_penalty: 1.1,
    presence_penalty: 0.5,
    frequency_penalty: -0.5,
    seed: 3,
    stop: ['.', '\n'],
    max_completion_tokens: 9,
    template: 'vqa',
    logprobs: true,
    top_logprobs: 2,
  });
  expect(options).toEqual({
    temperature: 0.7,
    topP: 0.9,
    topK: 5,
    minP: 0.1,
    repetitionPenalty: 1.1,
    presencePenalty: 0.5,
    frequencyPenalty: -0.5,
    seed: 3,
    stop: ['.', '\n'],
    template: 'vqa',
    logprobs: 2,
  });
  expect(maxTokens).toBe(9);
  const json_schema = { name: 'a', schema: { type: 'object' } };
  expect(read({ response_format: { type: 'json_schema', json_schema }, stop: [] }).options.format).toEqual({
    type: 'json_schema',
    schema: { type: 'object' },
  });
});

it('accepts an earlier answer without content, which clients send for an answer that was stopped at once', () => {
  const [question] = messages;
  const { prompt } = read({ messages: [question, { role: 'assistant' }, question] });
  expect(prompt.history).toEqual([{ question: 'Why?', answer: '' }]);
});

it('accepts fields without an effect', () => {
  const { warnings } = read({
    model: 'also',
    n: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    logit_bias: {},
    tools: [],
    tool_choice: 'auto',
    response_format: { type: 'text' },
    modalities: ['text'],
    user: 'me',
    metadata: {},
    logprobs: false,
    top_logprobs: 0,
    store: false,
    functions: [],
    grammar: '',
    mirostat: 0,
  });
  expect(warnings).toEqual([]);
  const tools = [{ type: 'function', function: { name: 'add' } }];
  expect(read({ tools, tool_choice: 'none' }).warnings).toEqual([]);
});

it('reads -1 as no limit and as no choice', () => {
  const { options, maxTokens } = read({ top_k: -1, seed: -1, max_tokens: -1 });
  expect(options).toEqual({ topK: 0 });
  expect(maxTokens).toBe(Number.POSITIVE_INFINITY);
  expect(read({}).maxTokens).toBeUndefined();
});

it.each([
  [9007199254740993n, 9007199254740993n],
  ['9007199254740993', 9007199254740993n],
  [2n ** 64n - 1n, 2n ** 64n - 1n],
  [-(2n ** 63n), -(2n ** 63n)],
  [7, 7],
])('reads all digits of the seed %s', (seed, expected) => {
  expect(read({ seed }).options.seed).toBe(expected);
});

it("accepts llama-server's names for the penalty and the limit", () => {
  const { options, maxTokens, warnings } = read({ repeat_penalty: 1.2, n_predict: 5 });
  expect([options.repetitionPenalty, maxTokens, warnings]).toEqual([1.2, 5, []]);
});

describe('an image without text gets a question', () => {
  const url = 'data:image/png;base64,AAAA';
  const image = { role: 'user', content: [{ type: 'image_url', image_url: { url } }] };
  const question = (list: object[], language?: string) => read({ messages: list }, language).prompt.question;

  it('in the language of the request', () => {
    expect(question([image])).toBe('Describe this image.');
    expect(question([image], 'zh-CN,zh;q=0.9')).toBe('描述这张图片。');
    const before = [
      { role: 'user', content: '你好' },
      { role: 'assistant', content: '你好！' },
    ];
    expect(question([...before, image])).toBe('描述这张图片。');
  });

  it('from the options of the server', () => {
    const own = { ...rules, imagePrompt: 'Read all text.' };
    expect(readChatRequest({ messages: [image] }, own).prompt.question).toBe('Read all text.');
  });
});

it('adds images beside the messages to the last question', () => {
  const { prompt } = read({ images: ['iVBORw0KGgo='] });
  expect(prompt).toMatchObject({
    question: 'Why?',
    visual: { type: 'image', url: 'data:;base64,iVBORw0KGgo=' },
  });
  expect(refused({ messages, images: 'iVBORw0KGgo=' })).toMatchObject({
    param: 'images',
    message: 'images must be a list of base64 strings; got "iVBORw0KGgo=".',
  });
});

describe('wrong values are refused with one sentence:', () => {
  it.each<[object, string, string, string]>([
    [{ top_p: 3 }, 'invalid_value', 'top_p', 'top_p must be above 0 and at most 1; got 3.'],
    [{ temperature: 'hot' }, 'invalid_value', 'temperature', 'temperature must be from 0 to 100; got "hot".'],
    [
      { seed: 2n ** 64n },
      'invalid_value',
      'seed',
      'seed must be an integer of 64 bits, or -1 for a random one; got 18446744073709551616.',
    ],
    [{ stream: 'yes' }, 'invalid_value', 'stream', 'stream must be true or false; got "yes".'],
    [
      { max_tokens: 1.5 },
      'invalid_value',
      'max_tokens',
      'max_tokens must be a whole number above 0, or -1 for no limit of its own; got 1.5.',
    ],
    [
      { stop: [''] },
      'invalid_value',
      'stop',
      'stop must be a string or up to 16 strings of 1 to 256 characters; got [""].',
    ],
    [{ template: 'llama' }, 'invalid_value', 'template', 'template must be chat, vqa or base; got "llama".'],
    [{ messages: [] }, 'invalid_value', 'messages', 'messages must have at least one message; got [].'],
    [
      { messages: 'Why?' },
      'invalid_value',
      'messages',
      'messages must be a list of {"role":"...","content":"..."}; got "Why?".',
    ],
    [
      { messages: [{ role: 'user' }] },
      'invalid_value',
      'messages[0].content',
      'messages[0].content must be a string or a list of parts; got nothing.',
    ],
    [
      { messages: [{ content: 'a' }] },
      'invalid_value',
      'messages[0].role',
      'messages[0].role must be system, developer, user, assistant or tool; got nothing.',
    ],
    [
      { stream_options: 1 },
      'invalid_value',
      'stream_options',
      'stream_options must be an object such as {"include_usage":true}; got 1.',
    ],
    [
      { stream_options: { include_usage: 1 } },
      'invalid_value',
      'stream_options.include_usage',
      'stream_options.include_usage must be true or false; got 1.',
    ],
    [{ top_logprobs: 3 }, 'invalid_value', 'top_logprobs', 'top_logprobs is 3, but logprobs is not true.'],
    [
      { logprobs: true, top_logprobs: 21 },
      'invalid_value',
      'top_logprobs',
      'top_logprobs must be a whole number from 0 to 20; got 21.',
    ],
    [
      { response_format: { type: 'xml' } },
      'invalid_value',
      'response_format.type',
      'response_format.type must be text, json_object or json_schema; got "xml". For other formats use guided_choice or guided_regex.',
    ],
    [
      { response_format: { type: 'json_schema', json_schema: {} } },
      'invalid_value',
      'response_format.json_schema.schema',
      'response_format.json_schema.schema must be a JSON Schema as an object; got nothing.',
    ],
    [
      { response_format: { type: 'json_schema' } },
      'invalid_value',
      'response_format.json_schema',
      'response_format.json_schema must be {"name":"...","schema":{...}}; got nothing.',
    ],
    [
      { response_format: 'json' },
      'invalid_value',
      'response_format',
      'response_format must be {"type":"text"}, {"type":"json_object"} or {"type":"json_schema","json_schema":{"name":"...","schema":{...}}}; got "json".',
    ],
    [{ n: 3 }, 'invalid_value', 'n', 'n is 3; the limit is 2 (--slots).'],
    [
      { presence_penalty: 3 },
      'invalid_value',
      'presence_penalty',
      'presence_penalty must be from -2 to 2; got 3.',
    ],
    [{ logit_bias: { 5: 1 } }, 'unsupported', 'logit_bias', 'logit_bias is not supported here.'],
    [
      { modalities: ['text', 'audio'] },
      'unsupported',
      'modalities',
      'modalities is ["text","audio"], but the model answers with text.',
    ],
    [{ model: 'gpt-4' }, 'model_not_found', 'model', 'Model "gpt-4" is not served here. Served: demo, also.'],
    [
      { max_tokens: 5, max_completion_tokens: 6 },
      'invalid_value',
      'max_tokens',
      'max_completion_tokens is 6 and max_tokens 5: they mean the same, send one.',
    ],
  ])('%o', (fields, code, param, message) => {
    expect(refused({ messages, ...fields })).toMatchObject({ code, param, message });
  });

  it.each([[null], [[]], ['hello'], [7]])('a body of %j', (body) => {
    expect(refused(body)).toMatchObject({
      code: 'invalid_value',
      message: expect.stringMatching(/^The body must be a JSON object; got/),
    });
  });
});
