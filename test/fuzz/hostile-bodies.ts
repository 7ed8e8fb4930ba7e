/** Bodies that try to exhaust a server. Each has about 32 MB, or the largest size that a limit allows. */

export interface HostileBody {
  /** Default: `/v1/chat/completions`. */
  path?: string;
  body: () => string;
}

const MIB = 2 ** 20;
const question = '"messages":[{"role":"user","content":"hi"}],"max_tokens":2';

const filled = (head: string, part: string, sizeBytes: number, tail: string) =>
  head + part.repeat(Math.floor(sizeBytes / part.length)) + tail;
const base64 = (sizeBytes: number) => 'QUJD'.repeat(sizeBytes / 4);
const withField = (name: string, json: string) => `{${question},"${name}":${json}}`;
const withSchema = (schema: object) => withField('guided_json', JSON.stringify(schema));
const withImage = (url: string) =>
  `{"messages":[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"${url}"}}]}],"max_tokens":2}`;
const many = (count: number, of: (i: number) => [string, unknown]) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => of(i)));
const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;

export const hostileBodies: Readonly<Record<string, HostileBody>> = {
  'empty messages': { body: () => filled('{"messages":[', '{},', 24 * MIB, '{}]}') },
  'empty messages of the Responses API': {
    path: '/v1/responses',
    body: () => filled('{"input":[', '{},', 24 * MIB, '{}]}'),
  },
  'a large schema': {
    body: () => filled(`{${question},"guided_json":{"enum":[`, '[],', 30 * MIB, '1]}}'),
  },
  'a large schema as one text': { body: () => withSchema({ const: base64(30 * MIB) }) },
  'many tools': {
    body: () =>
      filled(`{${question},"tools":[`, '{"type":"function","function":{"name":"a"}},', 30 * MIB, '{}]}'),
  },
  'many parts': {
    body: () =>
      filled('{"messages":[{"role":"user","content":[', '{"type":"text","text":"a"},', 30 * MIB, '{}]}]}'),
  },
  'deep lists': { body: () => withField('model', '['.repeat(15 * MIB) + ']'.repeat(15 * MIB)) },
  'deep lists in a string': { body: () => withField('guided_json', JSON.stringify(nested(60_000))) },
  'one long text with spaces': {
    body: () => filled('{"messages":[{"role":"user","content":"', 'ab cd ', 31 * MIB, '"}]}'),
  },
  'one long text without spaces': {
    body: () => `{"messages":[{"role":"user","content":"${base64(31 * MIB)}"}]}`,
  },
  'one long text of escapes': {
    body: () => filled('{"messages":[{"role":"user","content":"', '\\u0041', 31 * MIB, '"}]}'),
  },
  'one long key': { body: () => `{"${base64(31 * MIB)}":1}` },
  'one long role': { body: () => `{"messages":[{"role":"${base64(31 * MIB)}","content":"hi"}]}` },
  'one long model': { body: () => withField('model', `"${base64(31 * MIB)}"`) },
  'one long id of a call': {
    body: () =>
      `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"${base64(31 * MIB)}","function":{"name":"f"}}]},{"role":"user","content":"b"}],"max_tokens":2}`,
  },
  'many long strings': {
    body: () => filled('{"metadata":[', `"${base64(2_100)}",`, 31 * MIB, '1],"messages":[]}'),
  },
  'an invalid image': { body: () => withImage(`data:image/png;base64,${base64(31 * MIB)}`) },
  'an invalid image of the Responses API': {
    path: '/v1/responses',
    body: () =>
      `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,${base64(31 * MIB)}"}]}]}`,
  },
  'base64 without the beginning of a data URL': { body: () => withImage(base64(31 * MIB)) },
  "an image in Ollama's field": {
    body: () => `{"messages":[{"role":"user","content":"?","images":["${base64(31 * MIB)}"]}]}`,
  },
  'an address of 31 MB': { body: () => withImage(`http://example.com/${base64(31 * MIB)}`) },
  'an image with escaped slashes': {
    body: () => withImage(`data:image\\/png;base64,${'QUJDRA\\/\\/'.repeat(3 * MIB)}`),
  },
  'an image in lines': {
    body: () => withImage(`data:image/png;base64,${`${base64(76)}\\r\\n`.repeat(390_000)}`),
  },
  'a percent-encoded image': {
    body: () => withImage(`data:image/png;base64,${'%51%55%4A%44'.repeat(2 * MIB)}`),
  },
  'JSON just below its limit': {
    body: () => filled(`{${question},"metadata":[`, '{"a":[1,2]},', MIB - 100, '0]}'),
  },
  'many unknown fields': {
    body: () => JSON.stringify({ messages: [], ...many(90_000, (i) => [`k${i}`, 1]) }),
  },
  'unknown fields in every part': {
    body: () =>
      JSON.stringify({
        messages: [
          {
            role: 'user',
            content: Array.from({ length: 4_000 }, () => ({
              type: 'text',
              text: 'a',
              ...many(4, (i) => [`k${i}`, 1]),
            })),
          },
        ],
      }),
  },
  'many tool calls': {
    body: () =>
      JSON.stringify({
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', tool_calls: Array(19_000).fill({ id: 'x', function: { name: 'f' } }) },
          { role: 'user', content: 'b' },
        ],
      }),
  },
  'a chain of references': {
    body: () =>
      withSchema({
        type: 'object',
        properties: many(3_500, (i) => [
          `d${i}`,
          i === 3_499 ? { type: 'null' } : { $ref: `#/properties/d${i + 1}` },
        ]),
      }),
  },
  'schemas that double at each level': {
    body: () =>
      withSchema({
        $defs: many(30, (i) => [
          `l${i}`,
          i === 0
            ? { type: 'null' }
            : { anyOf: [{ $ref: `#/$defs/l${i - 1}` }, { $ref: `#/$defs/l${i - 1}` }] },
        ]),
        type: 'object',
        properties: { a: { $ref: '#/$defs/l29' } },
      }),
  },
  'an enum with all values that fit': {
    body: () => withSchema({ enum: Array.from({ length: 4_900 }, (_, i) => `v${i}`) }),
  },
  'many properties': {
    body: () =>
      withSchema({ type: 'object', properties: many(3_500, (i) => [`p${i}`, { type: 'integer' }]) }),
  },
  'many ranges of numbers': {
    body: () =>
      withSchema({
        anyOf: Array.from({ length: 1_500 }, (_, i) => ({
          type: 'integer',
          minimum: i * 1_000_003,
          maximum: i * 1_000_003 + 999_983,
        })),
      }),
  },
  'many patterns': {
    body: () =>
      withSchema({
        type: 'object',
        properties: many(1_000, (i) => [`p${i}`, { type: 'string', pattern: `^(a|b)*a(a|b){5}c{${i % 7}}` }]),
      }),
  },
  'many unknown keys': {
    body: () =>
      withSchema({
        type: 'object',
        properties: many(1_500, (i) => [`p${i}`, { type: 'null', descriptio: 1, requird: 1 }]),
      }),
  },
  'a pattern whose automaton explodes': { body: () => withField('guided_regex', '"(a|b)*a(a|b){30}"') },
  'a reference that is no URI': { body: () => withSchema({ $ref: '#/%' }) },
  'a text just below the limit, one word': {
    path: '/tokenize',
    body: () => JSON.stringify({ content: 'a'.repeat(32_700) }),
  },
  'a text just below the limit, Chinese': {
    path: '/tokenize',
    body: () => JSON.stringify({ content: '中'.repeat(10_900) }),
  },
  'wrong ids for /detokenize': {
    path: '/detokenize',
    body: () => filled('{"tokens":[', '-1,', 290_000, '1]}'),
  },
  'many ids for /detokenize': {
    path: '/detokenize',
    body: () => filled('{"tokens":[', '4000,', 495_000, '1]}'),
  },
  'not JSON': { body: () => '['.repeat(50) + ' '.repeat(31 * MIB) },
};
