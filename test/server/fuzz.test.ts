/**
 * Requests of every kind of wrongness, and some right ones, on the demonstration model: each is answered by the
 * contract, and nothing is left behind. COGVLM2_FUZZ_RUNS=1000 makes it a thousand.
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
    n: fc.oneof(fc.constant(1), anything),
    tools: fc.oneof(fc.constant([]), anything),
    logprobs: rarely(fc.boolean()),
    top_logprobs: rarely(fc.nat(25)),
    response_format: rarely(
      fc.record({ type: rarely(fc.constantFrom('text', 'json_object', 'json_schema')) }),
    ),
    template: rarely(fc.constantFrom('chat', 'vqa', 'base')),
  },
  { requiredKeys: ['messages', 'max_tokens'] },
);
const path = fc.constantFrom(
  ...Array<string>(8).fill('/v1/chat/completions'),
  '/v1/chat/completions/input_tokens',
  '/tokenize',
  '/detokenize',
  '/v1/cancel/x',
  '/v1/models',
  '/%ff',
);
const request = fc.record({
  path,
  method: rarely(fc.constant('POST')).map((method) =>
    typeof method === 'string' && /^[A-Z]+$/.test(method) ? method : 'GET',
  ),
  body: fc.oneof(
    { weight: 8, arbitrary: body.map(json) },
    { weight: 1, arbitrary: fc.string() },
    { weight: 1, arbitrary: anything.map(json) },
  ),
  /** Leaves in the middle of a stream. */
  leaves: fc.boolean(),
});

/** What JSON has no words for (undefined, bigint) is left out or written as text. */
function json(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  return text ?? 'null';
}

let server: TestApp;
beforeAll(async () => {
  server = await testApp({ rules: { maxAnswerTokens: 8 } });
  await server.started;
}, 60_000);
afterAll(() => server?.engine.stop());

it.skipIf(!hasDemo)(
  'is answered by the contract, and leaves nothing behind (skipped without models/demo)',
  { timeout: 600_000 },
  async () => {
    const known = new Set([200, ...Object.values(API_STATUSES)]);
    await fc.assert(
      fc.asyncProperty(request, async ({ path, method, body, leaves }) => {
        const hasBody = method !== 'GET' && method !== 'HEAD';
        const response = await server.app.request(path, { method, ...(hasBody && { body }) });
        expect(known).toContain(response.status);
        // Whatever was sent, it is never the server that fails.
        expect(response.status).toBeLessThan(500);
        if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
          if (leaves) return response.body?.cancel();
          const events = eventsIn(await response.text());
          const last = events.at(-1);
          if (last !== '[DONE]') expect(last).toMatchObject({ error: { code: 'invalid_image' } });
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
