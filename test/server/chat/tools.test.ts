import { describe, expect, it } from 'vitest';
import { readChatRequest } from '../../../src/server/chat/request.ts';

const messages = [{ role: 'user', content: 'Weather in Oslo?' }];
const rules = { names: ['demo'], adapters: [], maxAnswers: 1, imagePrompt: null };
const read = (fields: object) => readChatRequest({ messages, ...fields }, rules);

const city = {
  type: 'object',
  properties: { city: { $ref: '#/$defs/City' } },
  $defs: { City: { type: 'string' } },
};
const weather = {
  type: 'function',
  function: { name: 'weather', description: 'Weather of a city', parameters: city },
};
const time = { type: 'function', function: { name: 'time' } };
const named = (name: string) => ({ type: 'function', function: { name } });

it.each([
  [undefined],
  ['auto'],
  [null],
  [{ type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [named('time')] } }],
])('with tool_choice %j the answer is text, and a warning says so', (tool_choice) => {
  const { call, warnings, options } = read({ tools: [weather, time], tool_choice });
  expect([call, options.format]).toEqual([undefined, undefined]);
  expect(warnings).toEqual([expect.stringMatching(/^tools were ignored: .*tool_choice "required"/)]);
});

it('a named tool is enforced, and the prompt describes it', () => {
  const { call, options, prompt } = read({ tools: [weather, time], tool_choice: named('weather') });
  expect(options.format).toEqual({ type: 'json_schema', schema: city });
  expect(prompt.question).toMatch(
    /^Weather in Oslo\?\nFunction weather: Weather of a city\n.*schema: \{"type"/,
  );
  expect(call?.callIn('{"city":"Oslo"}', true)).toEqual({ name: 'weather', arguments: '{"city":"Oslo"}' });
});

it('a function without parameters accepts none', () => {
  const { options } = read({ tools: [time], tool_choice: 'required' });
  expect(options.format).toMatchObject({
    schema: { type: 'object', properties: {}, additionalProperties: false },
  });
});

describe('of several tools, one is required', () => {
  const { call, options } = read({ tools: [weather, time], tool_choice: 'required' });

  it('by a schema of all tools, with adjusted references', () => {
    expect(options.format).toMatchObject({
      schema: {
        anyOf: [
          {
            properties: {
              name: { const: 'weather' },
              arguments: { properties: { city: { $ref: '#/anyOf/0/properties/arguments/$defs/City' } } },
            },
            required: ['name', 'arguments'],
          },
          { properties: { name: { const: 'time' } } },
        ],
      },
    });
  });

  it.each([
    ['{"name":"weather","arguments":{"city":"a}b"}}', true, { name: 'weather', arguments: '{"city":"a}b"}' }],
    ['{"name": "time", "arguments": {} }', true, { name: 'time', arguments: '{}' }],
    ['{"name":"weather","arguments":{"ci', false, { name: 'weather', arguments: '{"ci' }],
    ['{"name":"wea', false, null],
  ])('%s', (answer, isComplete, expected) => {
    expect(call?.callIn(answer, isComplete)).toEqual(expected);
  });
});

it('only allowed tools can be called', () => {
  const tool_choice = {
    type: 'allowed_tools',
    mode: 'required',
    tools: [{ type: 'function', name: 'time' }],
  };
  expect(read({ tools: [weather, time], tool_choice }).call?.callIn('{}', true)?.name).toBe('time');
});

it('tools that are not functions cannot be called', () => {
  const { warnings } = read({ tools: [{ type: 'web_search' }, time], tool_choice: 'required' });
  expect(warnings).toEqual(['tools[0] was ignored: tools of the type "web_search" cannot be called here']);
});

describe('wrong tools are refused:', () => {
  it.each<[object, string, RegExp]>([
    [{ tools: 'weather' }, 'tools', /must be a list; got "weather"/],
    [
      { tools: [weather], tool_choice: named('rain') },
      'tool_choice',
      /names "rain", which is not a function in tools/,
    ],
    [{ tool_choice: 'required' }, 'tools', /tool_choice is "required", but tools has no function/],
    [
      { tools: [weather], tool_choice: { type: 'tool', name: 'weather' } },
      'tool_choice',
      /must be "none", "auto"/,
    ],
    [{ tools: [{ name: 'x' }], tool_choice: 'required' }, 'tools[0]', /must be \{"type":"function"/],
    [
      { tools: [{ type: 'function', function: {} }], tool_choice: 'required' },
      'tools[0]',
      /must have the name/,
    ],
    [
      { tools: [{ type: 'function', function: { name: 'x', parameters: 5 } }], tool_choice: 'required' },
      'tools[0]',
      /parameters of tools\[0\] must be a JSON Schema/,
    ],
    [
      { tools: [weather], tool_choice: 'required', response_format: { type: 'json_object' } },
      'tool_choice',
      /exclude each other/,
    ],
    [{ functions: [{ name: 'x' }] }, 'functions', /Use tools and tool_choice/],
    [{ function_call: { name: 'x' } }, 'function_call', /Use tools and tool_choice/],
  ])('%j', (fields, param, message) => {
    expect(() => read(fields)).toThrow(
      expect.objectContaining({ param, message: expect.stringMatching(message) }),
    );
  });
});
