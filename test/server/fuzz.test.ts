/**
 * Many kinds of wrong requests, and some valid ones, with the demo model. Each answer must obey the API, and no request must remain.
 * COGVLM2_FUZZ_RUNS=1000 runs a thousand.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { API_STATUSES } from '../../src/server/api-error.ts';
import { until } from '../cli/memory-terminal.ts';
import { eventsIn, type TestApp, testApp } from './in-process.ts';
import { hasDemo } from './served.ts';

const runs = Number(process.env.COGVLM2_FUZZ_RUNS ?? 60);
const pixel =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

const anything = fc.anything({ maxDepth: 2, withNullPrototype: false });
const rarely = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: anything });
const url = fc.oneof(
  fc.constantFrom(
    pixel,
    pixel.slice(0, 60),
    'data:image/png;base64,',
    'data:,',
    'http://127.0.0.1/',
    'file:///etc/passwd',
    '',
  ),
  fc.base64String({ maxLength: 200 }).map((text) => `data:image/webp;base64,${text}`),
  fc.string(),
);
const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text: rarely(fc.string()) }),
  fc.record({ type: fc.constant('image_url'), image_url: rarely(fc.oneof(url, fc.record({ url }))) }),
);
const message = fc.record({
  role: rarely(fc.constantFrom('user', 'assistant', 'system', 'developer', 'tool')),
  content: rarely(fc.oneof(fc.string({ unit: 'binary' }), fc.array(rarely(part), { maxLength: 3 }))),
});
const tool = fc.record({
  type: rarely(fc.constant('function')),
  function: rarely(
    fc.record({
      name: rarely(fc.constantFrom('a', 'b')),
      parameters: rarely(fc.constantFrom({}, { type: 'object', properties: { n: { type: 'boolean' } } })),
    }),
  ),
});
const question = fc.constant({ role: 'user', content: 'Why?' });
const body = fc.record(
  {
    model: rarely(fc.constantFrom('demo', 'default', 'gpt-4')),
    messages: rarely(
      fc
        .tuple(fc.array(rarely(message), { maxLength: 3 }), question)
        .map(([before, last]) => [...before, last]),
    ),
    max_tokens: rarely(fc.integer({ min: -1, max: 6 })),
    temperature: rarely(fc.double()),
    top_p: rarely(fc.double({ min: 0, max: 1 })),
    top_k: rarely(fc.nat(10)),
    min_p: rarely(fc.double({ min: 0, max: 1 })),
    repetition_penalty: rarely(fc.double({ min: 0, max: 3 })),
    seed: rarely(fc.integer()),
    stop: rarely(fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 3 }))),
    stream: rarely(fc.boolean()),
    stream_options: rarely(fc.record({ include_usage: rarely(fc.boolean()) })),
    return_progress: rarely(fc.boolean()),
    n: fc.oneof(fc.constantFrom(1, 2), anything),
    tools: rarely(fc.array(rarely(tool), { maxLength: 3 })),
    tool_choice: rarely(
      fc.constantFrom('auto', 'none', 'required', { type: 'function', function: { name: 'a' } }),
    ),
    guided_choice: rarely(fc.constantFrom(null, ['yes', 'no'])),
    structured_outputs: rarely(fc.constantFrom(null, { regex: '[a-z]{1,4}' }, { json: { type: 'boolean' } })),
    images: rarely(fc.constantFrom(null, [], [pixel], [pixel.slice(22)])),
    presence_penalty: rarely(fc.double({ min: -2, max: 2, noNaN: true })),
    continue_final_message: rarely(fc.boolean()),
    input: rarely(fc.oneof(fc.string(), fc.array(rarely(message), { maxLength: 3 }))),
    text: fc.oneof(fc.constant({ format: { type: 'json_object' } }), anything),
    logprobs: rarely(fc.boolean()),
    top_logprobs: rarely(fc.nat(25)),
    response_format: rarely(
      fc.record({ type: rarely(fc.constantFrom('text', 'json_object', 'json_schema')) }),
    ),
    template: rarely(fc.constantFrom('chat', 'vqa', 'base')),
  },
  { requiredKeys: ['messages', 'max_tokens', 'input'] },
);
const path = fc.constantFrom(
  ...Array<string>(8).fill('/v1/chat/completions'),
  ...Array<string>(4).fill('/v1/responses'),
  '/v1/chat/completions/input_tokens',
  '/tokenize',
  '/detokenize',
  '/v1/cancel/x',
  '/v1/models',
  '/%ff',
);
const request = fc
  .record({
    path,
    method: rarely(fc.constant('POST')).map((method) =>
      typeof method === 'string' && /^[A-Z]+$/.test(method) ? method : 'GET',
    ),
    fields: fc.oneof({ weight: 9, arbitrary: body }, { weight: 1, arbitrary: anything }),
    /** Sent instead of the fields. */
    text: fc.option(fc.string(), { freq: 10 }),
    /** Disconnects during a stream. */
    leaves: fc.boolean(),
  })
  .map(({ path, fields, text, ...rest }) => ({ ...rest, path, body: text ?? json(ofApi(path, fields)) }));

/** Removes the fields of the other API. */
function ofApi(path: string, fields: unknown): unknown {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return fields;
  const others = path.includes('responses')
    ? ['messages', 'images', 'structured_outputs']
    : ['input', 'text'];
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !others.includes(name)));
}

/** Omits undefined, and writes bigint as text, because JSON has neither. */
function json(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  return text ?? 'null';
}

function typeOf(event: unknown): string {
  return typeof event === 'object' && event !== null && 'type' in event ? String(event.type) : '';
}

let server: TestApp;
beforeAll(async () => {
  server = await testApp({ rules: { maxAnswerTokens: 8 } });
  await server.started;
}, 600_000);
afterAll(() => server?.engine.stop());

it.skipIf(!hasDemo)(
  'every answer obeys the API, and no request remains (skipped without models/demo)',
  { timeout: 600_000 },
  async () => {
    const known = new Set([200, ...Object.values(API_STATUSES)]);
    await fc.assert(
      fc.asyncProperty(request, async ({ path, method, body, leaves }) => {
        const hasBody = method !== 'GET' && method !== 'HEAD';
        const response = await server.app.request(path, { method, ...(hasBody && { body }) });
        expect(known).toContain(response.status);
        // No request causes an error of the server.
        expect(response.status).toBeLessThan(500);
        if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
          if (leaves) return response.body?.cancel();
          const events = eventsIn(await response.text());
          const last = events.at(-1);
          const isEnd = last === '[DONE]' || /^response\.(?:completed|incomplete)$/.test(typeOf(last));
          if (!isEnd) expect(JSON.stringify(last)).toContain('"code":"invalid_image"');
        } else if (response.status >= 400) {
          const { error } = (await response.json()) as {
            error: { code: keyof typeof API_STATUSES; message: string };
          };
          expect(API_STATUSES[error.code]).toBe(response.status);
          expect(error.message.length).toBeLessThan(600);
        }
      }),
      { numRuns: runs, endOnFailure: true },
    );
    await until(() => server.admission.total === 0);
    expect(server.requests.list()).toEqual([]);
    expect(await server.engine.call('stats')).toMatchObject({ running: 0 });
    expect(server.engine.restarts).toBe(0);
  },
);
