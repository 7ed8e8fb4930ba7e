import { describe, expect, it } from 'vitest';
import { ApiError } from '../../src/server/api-error.ts';
import { readChatRequest } from '../../src/server/chat/request.ts';

const messages = [{ role: 'user', content: 'Why?' }];
const read = (fields: object) => readChatRequest({ messages, ...fields }, ['demo', 'also'], 1000);

function refused(body: unknown): ApiError {
  try {
    readChatRequest(body, ['demo', 'also'], 1000);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

it('leaves out what is absent, so that the library has its own defaults', () => {
  expect(read({ temperature: null, stop: null })).toMatchObject({
    options: {},
    stream: false,
    includeUsage: false,
    returnProgress: false,
  });
});

it('gives the library what it knows under its names', () => {
  const { options } = read({
    temperature: 0.7,
    top_p: 0.9,
    top_k: 5,
    min_p: 0.1,
    repetition_penalty: 1.1,
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
    seed: 3,
    stop: ['.', '\n'],
    maxTokens: 9,
    template: 'vqa',
    logprobs: 2,
  });
  const json_schema = { name: 'a', schema: { type: 'object' } };
  expect(read({ response_format: { type: 'json_schema', json_schema }, stop: [] }).options.format).toEqual({
    type: 'json_schema',
    schema: { type: 'object' },
  });
});

it('accepts an earlier answer without content, as clients send one that was stopped at once', () => {
  const [question] = messages;
  const { prompt } = read({ messages: [question, { role: 'assistant' }, question] });
  expect(prompt.history).toEqual([{ question: 'Why?', answer: '' }]);
});

it('accepts what asks for nothing, and tells what it does not know', () => {
  const { unknownFields } = read({
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
    mirostat: 2,
  });
  expect(unknownFields).toEqual(['mirostat']);
  const tools = [{ type: 'function', function: { name: 'add' } }];
  expect(() => read({ messages, tools, tool_choice: 'none' })).not.toThrow();
});

describe('sentences', () => {
  it.each<[object, string, string, string]>([
    [{ top_p: 3 }, 'invalid_value', 'top_p', 'top_p must be above 0 and at most 1; got 3.'],
    [{ temperature: 'hot' }, 'invalid_value', 'temperature', 'temperature must be from 0 to 100; got "hot".'],
    [{ seed: -1 }, 'invalid_value', 'seed', 'seed must be a whole number, 0 or above; got -1.'],
    [{ stream: 'yes' }, 'invalid_value', 'stream', 'stream must be true or false; got "yes".'],
    [
      { max_tokens: 1.5 },
      'invalid_value',
      'max_tokens',
      'max_tokens must be a whole number above 0; got 1.5.',
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
      'messages[0].role must be of type string; got nothing.',
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
      'response_format.type must be text, json_object or json_schema; got "xml".',
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
    [
      { response_format: { type: 'json_object' }, stop: '}' },
      'invalid_value',
      'stop',
      'stop is "}", which could cut the JSON that response_format promises whole: send one of them.',
    ],
    [{ n: 2 }, 'unsupported', 'n', 'n is 2, but one answer is made for a request: n must be 1.'],
    [
      { presence_penalty: 1 },
      'unsupported',
      'presence_penalty',
      'presence_penalty is 1, but there is no presence_penalty here: use repetition_penalty.',
    ],
    [
      { tools: [{ a: 1 }] },
      'unsupported',
      'tools',
      'tools is [{"a":1}], but the model was not trained to call tools.',
    ],
    [
      { tool_choice: 'required' },
      'unsupported',
      'tool_choice',
      'tool_choice is "required", but the model was not trained to call tools.',
    ],
    [
      { logit_bias: { 5: 1 } },
      'unsupported',
      'logit_bias',
      'logit_bias is {"5":1}, but there is no logit_bias here.',
    ],
    [{ model: 'gpt-4' }, 'model_not_found', 'model', 'Model "gpt-4" is not served here. Served: demo, also.'],
    [
      { max_tokens: 1001 },
      'invalid_value',
      'max_tokens',
      'max_tokens is 1001; the limit is 1000 (--max-answer-tokens).',
    ],
    [
      { max_tokens: 5, max_completion_tokens: 6 },
      'invalid_value',
      'max_tokens',
      'max_tokens is 5 and max_completion_tokens 6: they mean the same, send one.',
    ],
  ])('%j', (fields, code, param, message) => {
    expect(refused({ messages, ...fields })).toMatchObject({ code, param, message });
  });

  it.each([[null], [[]], ['hello'], [7]])('a body of %j', (body) => {
    expect(refused(body)).toMatchObject({
      code: 'invalid_value',
      message: expect.stringMatching(/^The body must be a JSON object; got/),
    });
  });
});
