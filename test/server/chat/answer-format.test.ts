/** The fields for formats that clients of several servers use. */
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../src/server/api-error.ts';
import { readChatRequest } from '../../../src/server/chat/request.ts';

const messages = [{ role: 'user', content: 'What is a receipt?' }];
const rules = { names: ['demo'], adapters: [], maxAnswers: 1, imagePrompt: null };
const read = (fields: object) => readChatRequest({ messages, ...fields }, rules).options.format;
const schema = { type: 'object', properties: { total: { type: 'number' } }, required: ['total'] };

describe('formats', () => {
  it.each<[string, object, object | undefined]>([
    ['text', { response_format: { type: 'text' } }, undefined],
    ['a JSON object', { response_format: { type: 'json_object' } }, { type: 'json_object' }],
    [
      "OpenAI's schema",
      { response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } },
      { type: 'json_schema', schema },
    ],
    [
      'a schema beside json_object',
      { response_format: { type: 'json_object', schema } },
      { type: 'json_schema', schema },
    ],
    [
      'a schema beside json_schema',
      { response_format: { type: 'json_schema', schema } },
      { type: 'json_schema', schema },
    ],
    ["llama-server's json_schema", { json_schema: schema }, { type: 'json_schema', schema }],
    [
      "SGLang's json_schema, which is a string",
      { json_schema: JSON.stringify(schema) },
      { type: 'json_schema', schema },
    ],
    ['guided_json', { guided_json: schema }, { type: 'json_schema', schema }],
    ['guided_choice', { guided_choice: ['yes', 'no'] }, { type: 'choice', choices: ['yes', 'no'] }],
    ['guided_regex', { guided_regex: 'yes|no' }, { type: 'regex', pattern: 'yes|no' }],
    ['regex', { regex: 'yes|no' }, { type: 'regex', pattern: 'yes|no' }],
    [
      "vLLM's structured_outputs, json",
      { structured_outputs: { json: schema, regex: null } },
      { type: 'json_schema', schema },
    ],
    ['choice', { structured_outputs: { choice: ['a'] } }, { type: 'choice', choices: ['a'] }],
    ['regex', { structured_outputs: { regex: 'a+' } }, { type: 'regex', pattern: 'a+' }],
    ['json_object', { structured_outputs: { json_object: true } }, { type: 'json_object' }],
    ["Ollama's format", { format: schema }, { type: 'json_schema', schema }],
    ['json', { format: 'json' }, { type: 'json_object' }],
    ['the same schema twice', { guided_json: schema, format: schema }, { type: 'json_schema', schema }],
    ['none', { guided_json: null, format: '', regex: null }, undefined],
  ])('%s', (_, fields, format) => {
    expect(read(fields)).toEqual(format);
  });
});

describe('wrong formats are refused:', () => {
  it.each<[object, string, string]>([
    [
      { response_format: { type: 'json_object', schema: 123 } },
      'response_format.schema',
      'response_format.schema must be a JSON Schema as an object; got 123.',
    ],
    [{ json_schema: '{' }, 'json_schema', 'json_schema must be a JSON Schema as an object; got "{".'],
    [
      { guided_choice: [] },
      'guided_choice',
      'guided_choice must be a list of strings, such as ["yes","no"]; got [].',
    ],
    [
      { guided_choice: ['a', 1] },
      'guided_choice',
      'guided_choice must be a list of strings, such as ["yes","no"]; got ["a",1].',
    ],
    [{ regex: 5 }, 'regex', 'regex must be a regular expression as a string; got 5.'],
    [
      { structured_outputs: { json: schema, regex: 'a' } },
      'structured_outputs',
      'structured_outputs asks for 2 formats: send one of them.',
    ],
    [
      { structured_outputs: [] },
      'structured_outputs',
      'structured_outputs must be an object such as {"json":{...}}; got [].',
    ],
    [
      { response_format: { type: 'json_object' }, guided_regex: 'a' },
      'guided_regex',
      'response_format and guided_regex ask for different formats: send one of them.',
    ],
  ])('%j', (fields, param, message) => {
    const attempt = () => read(fields);
    expect(attempt).toThrow(ApiError);
    expect(attempt).toThrow(expect.objectContaining({ param, message }));
  });
});

it('a schema in a string has the nesting limit of a body', () => {
  const text = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
  for (const name of ['guided_json', 'json_schema', 'format'])
    expect(() => read({ [name]: text })).toThrow(`${name} is nested more than 100 levels deep`);
});
