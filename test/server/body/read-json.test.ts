import { expect, it } from 'vitest';
import { checkFields } from '../../../src/server/body/read-json.ts';

const many = <T>(count: number, value: T) => Array<T>(count).fill(value);
const part = { type: 'text', text: 'x' };

it.each<[string, object, string]>([
  ['messages', { messages: many(2_049, {}) }, 'messages has 2049 messages; the limit is 2048.'],
  ['input of /v1/responses', { input: many(2_049, {}) }, 'input has 2049 messages; the limit is 2048.'],
  [
    'parts',
    { messages: many(3, { content: many(1_400, part) }) },
    'messages has 4200 parts of content; the limit is 4096.',
  ],
  [
    'tool calls',
    { messages: many(3, { tool_calls: many(700, {}) }) },
    'messages has 2100 tool calls; the limit is 2048.',
  ],
  ['token ids', { tokens: many(32_769, 1) }, 'tokens has 32769 token ids; the limit is 32768.'],
  ['tools', { tools: many(129, {}) }, 'tools has 129 tools; the limit is 128.'],
  ['stop strings', { stop: many(17, 'a') }, 'stop has 17 strings; the limit is 16.'],
  [
    'a schema',
    { response_format: { type: 'json_schema', json_schema: { schema: { enum: many(50_000, []) } } } },
    'response_format has more than 131072 characters as JSON; that is the limit.',
  ],
  [
    'a schema of one long text',
    { format: { const: 'x'.repeat(140_000) } },
    'format has more than 131072 characters',
  ],
  [
    'a schema of one long key',
    { guided_json: { ['x'.repeat(140_000)]: 1 } },
    'guided_json has more than 131072 characters',
  ],
  [
    'a tool',
    { tools: [{}, { function: { description: 'x'.repeat(140_000) } }] },
    'tools[1] has more than 131072 characters',
  ],
  ['an unknown field', { anything: many(70_000, 1) }, 'anything has more than 131072 characters'],
])('refuses too many or too large %s', (_, body, message) => {
  expect(() => checkFields(body)).toThrow(message);
});

it('accepts fields at their limits', () => {
  checkFields({
    messages: many(2_048, { role: 'user', content: [part, part] }),
    tools: many(128, {}),
    stop: many(16, 'a'),
    content: 'x'.repeat(1_000_000),
    tokens: many(32_768, 1),
    response_format: { const: 'x'.repeat(131_000) },
  });
  for (const body of [null, 'text', 7, [], {}]) checkFields(body);
});
