/** Fields that are not supported. Each is refused, or named in a warning. */
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../src/server/api-error.ts';
import { readChatRequest } from '../../../src/server/chat/request.ts';

const messages = [{ role: 'user', content: 'What is the total?' }];
const rules = { names: ['demo'], adapters: [], maxAnswers: 2, imagePrompt: null };
const read = (fields: object) => readChatRequest({ messages, ...fields }, rules);

function refused(fields: object): Pick<ApiError, 'code' | 'param' | 'message'> {
  try {
    read(fields);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

const data = 'iVBORw0KGgo=';
const schema = { type: 'object', properties: { total: { type: 'number' } }, required: ['total'] };

describe('an image in an unknown field is refused, and the message names the right field', () => {
  it.each<[string, object]>([
    ['image_data', { image_data: [{ id: 1, data }] }],
    ['image', { image: data }],
    ['image_url', { image_url: { url: data } }],
    ['picture', { picture: data }],
    ['attachments', { attachments: [{ type: 'image', url: data }] }],
    ['experimental_attachments', { experimental_attachments: [{}] }],
    ['inputImages', { inputImages: [data] }],
    ['files', { files: [data] }],
    ['messages[0].image', { messages: [{ role: 'user', content: '?', image: data }] }],
    ['messages[0].attachments', { messages: [{ role: 'user', content: '?', attachments: [{}] }] }],
    [
      'messages[0].content[0].image_url',
      { messages: [{ role: 'user', content: [{ type: 'text', text: '?', image_url: { url: data } }] }] },
    ],
  ])('%s', (param, fields) => {
    expect(refused(fields)).toMatchObject({
      code: 'unsupported',
      param,
      message: expect.stringMatching(/is not supported here\. .*"image_url"/),
    });
  });
});

describe('a format in an unknown field is refused, and the message names the right field', () => {
  it.each([
    'grammar',
    'guided_grammar',
    'ebnf',
    'structural_tag',
    'response_schema',
    'responseSchema',
    'json_mode',
    'output_format',
  ])('%s', (param) => {
    expect(refused({ [param]: 'root ::= "yes" | "no"' })).toMatchObject({
      code: 'unsupported',
      param,
      message: expect.stringMatching(/is not supported here\. Use response_format/),
    });
  });

  it('also in structured_outputs and response_format', () => {
    expect(refused({ structured_outputs: { grammar: 'root ::= "a"' } })).toMatchObject({
      code: 'unsupported',
      param: 'structured_outputs.grammar',
    });
    expect(refused({ response_format: { type: 'text', schema } })).toMatchObject({
      code: 'unsupported',
      param: 'response_format.schema',
    });
  });
});

it.each([
  ['min_tokens', 5],
  ['stop_token_ids', [7]],
  ['ignore_eos', true],
  ['best_of', 2],
  ['prompt', 'Why?'],
  ['chat_template', '{{ messages }}'],
  ['options', { temperature: 1 }],
  ['web_search_options', { search_context_size: 'low' }],
])('%s is refused, because the answer would be wrong without it', (param, value) => {
  expect(refused({ [param]: value })).toMatchObject({ code: 'unsupported', param });
});

describe('fields that an answer does not need are named in a warning', () => {
  it.each<[object, string]>([
    [{ mirostat: 2 }, 'mirostat was ignored: it is not supported here'],
    [{ reasoning_effort: 'low' }, 'reasoning_effort was ignored: it is not supported here'],
    [{ temprature: 1 }, 'temprature was ignored: did you mean temperature?'],
    [{ max_token: 5 }, 'max_token was ignored: did you mean max_tokens?'],
    [{ stream_options: { chunked: true } }, 'stream_options.chunked was ignored: it is not supported here'],
    [{ store: true }, 'store was ignored: the server stores nothing'],
    [{ add_generation_prompt: false }, 'add_generation_prompt was ignored: the model answers questions only'],
    [
      { messages: [{ role: 'user', content: '?', name: 'Ann' }] },
      'messages[0].name was ignored: it is not supported here',
    ],
  ])('%j', (fields, warning) => {
    expect(read(fields).warnings).toEqual([warning]);
  });

  it('the number of warnings is limited', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
    expect(read(many).warnings).toHaveLength(20);
  });
});

it('the number of unknown fields is limited in the whole body, because each is compared with the known ones', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i.toString(36)}`, 1]));
  const parts = Array.from({ length: 200 }, () => ({ type: 'text', text: 'a', ...many(10) }));
  expect(refused(many(1_001)).message).toMatch(/more than 1000 unknown fields/);
  expect(refused({ messages: [{ role: 'user', content: parts }] }).message).toMatch(/unknown fields/);
});

it('a large value is shortened in a message', () => {
  const message = refused({ tool_choice: { list: Array(50_000).fill('x'.repeat(100)) } }).message;
  expect(message.length).toBeLessThan(300);
  expect(refused({ n: 'x'.repeat(1_000_000) }).message.length).toBeLessThan(200);
});

it('fields that cannot change an answer are accepted without a warning', () => {
  const fields = {
    user: 'me',
    metadata: { a: 1 },
    service_tier: 'auto',
    keep_alive: '5m',
    cache_prompt: true,
  };
  expect(read(fields).warnings).toEqual([]);
});
