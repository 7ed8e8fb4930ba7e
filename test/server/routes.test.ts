/** Unusual requests of clients to the routes. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AppParts } from '../../src/server/app-parts.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { readPage } from '../../src/server/page.ts';
import { type TestApp, testApp } from './in-process.ts';
import { scriptedHost } from './scripted-host.ts';

let server: TestApp;
beforeAll(async () => {
  server = await testApp({ load: scriptedHost().load });
  await server.started;
});
const ask = (path: string, method = 'GET') => server.app.request(path, { method });
const codeOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return [response.status, error.code, error.message];
};

describe('paths and methods', () => {
  it.each(['/v1/models/', '/models', '/models/demo', '/health/', '/v1/models/demo/'])(
    '%s is answered',
    async (path) => {
      expect((await ask(path)).status).toBe(200);
    },
  );

  it('HEAD gives the answer of GET without a body', async () => {
    const response = await ask('/v1/models', 'HEAD');
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it.each([
    ['/v1/models', 'GET, HEAD'],
    ['/v1/chat/completions', 'POST'],
  ])('OPTIONS lists the methods of %s', async (path, allow) => {
    const response = await ask(path, 'OPTIONS');
    expect([response.status, response.headers.get('allow')]).toEqual([204, allow]);
  });

  it.each([
    ['/v1/models', 'DELETE', 'GET, HEAD'],
    ['/v1/models/demo', 'POST', 'GET, HEAD'],
    ['/v1/chat/completions/', 'GET', 'POST'],
    ['/v1/cancel/some-id', 'PUT', 'POST'],
  ])('%s refuses the method %s', async (path, method, allow) => {
    const response = await ask(path, method);
    expect(response.headers.get('allow')).toBe(allow);
    expect(await codeOf(response)).toEqual([405, 'method_not_allowed', expect.stringContaining(allow)]);
  });

  it.each([
    ['/v1/chat/completion', 'Did you mean /v1/chat/completions?'],
    ['//v1/models', 'Did you mean /v1/models?'],
    ['/v1/model', 'Did you mean /v1/models?'],
    ['/some/thing/else', 'The API is under /v1.'],
    ['/v1/messages', 'use POST /v1/chat/completions or /v1/responses'],
    ['/v1/messages/count_tokens', "Anthropic's API is not served"],
    ['/v1/completions', 'use POST /v1/chat/completions'],
    ['/completion', 'use POST /v1/chat/completions'],
    ['/api/chat', "Ollama's API is not served: use POST /v1/chat/completions"],
    ['/api/generate/', "Ollama's API is not served"],
    ['/api/tags', 'use GET /v1/models'],
    ['/v1/responses/resp_1', 'Responses are not stored'],
    ['/v1/embeddings', 'makes no embeddings'],
    ['/v1/images/generations', 'answers with text'],
    ['/v1/files', 'stores nothing'],
  ])('%s does not exist, and the message has a hint', async (path, hint) => {
    expect(await codeOf(await ask(path))).toEqual([404, 'not_found', expect.stringContaining(hint)]);
  });
});

describe('bodies', () => {
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Why?' }], max_tokens: 1 });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-8'])(
    'JSON is read with any Content-Type: %s',
    async (type) => {
      expect((await server.post('/v1/chat/completions', body, { 'content-type': type })).status).toBe(200);
    },
  );

  it('a compressed body is refused with a remedy', async () => {
    const response = await server.app.request('/v1/chat/completions', {
      method: 'POST',
      body: gzipSync(body),
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect(response.headers.get('accept-encoding')).toBe('identity');
    expect(await codeOf(response)).toEqual([
      415,
      'unsupported_encoding',
      'The body is encoded by gzip; send it without content-encoding.',
    ]);
    expect(server.requests.waiting).toBe(0);
  });
});

it('the metrics request the state of the engine once', async () => {
  let asked = 0;
  const parts: Pick<AppParts, 'metrics'> = {
    metrics: new Metrics(
      {
        running: () => 0,
        waiting: () => 0,
        loaded: () => true,
        restarts: () => 0,
        model: () => null,
        async engine() {
          asked++;
          return {
            kvTokens: 4,
            kvTokensUsed: 1,
            kvTokensRunning: 1,
            gpuMemory: { usedBytes: 1, totalBytes: 2 },
            eventLoopMs: 1,
          };
        },
      },
      { version: '1.2.3', limits: {} },
    ),
  };
  const { app } = await testApp({ load: scriptedHost().load, parts });
  const text = await (await app.request('/metrics')).text();
  expect(text).toContain('cogvlm2_kv_cache_usage_ratio 0.25\n');
  expect(text).toContain('cogvlm2_gpu_memory_bytes{kind="total"} 2\n');
  expect(asked).toBe(1);
});

it('the page is compressed for clients that accept it, and is not sent again to clients that cached it', async () => {
  const page = readPage();
  const { app } = await testApp({ load: scriptedHost().load, parts: { page } });
  const get = (headers: Record<string, string>) => app.request('/', { headers });
  const compressed = await get({ 'accept-encoding': 'br, gzip' });
  expect(compressed.headers.get('content-encoding')).toBe('gzip');
  expect(compressed.headers.get('vary')).toBe('Accept-Encoding');
  expect(gunzipSync(await compressed.arrayBuffer()).toString()).toBe(page.html);
  const plain = await get({ 'accept-encoding': 'gzip;q=0' });
  expect(plain.headers.has('content-encoding')).toBe(false);
  expect(await plain.text()).toBe(page.html);
  for (const response of [compressed, plain]) {
    const again = await get({ 'accept-encoding': 'gzip', 'if-none-match': response.headers.get('etag')! });
    expect([again.status, await again.text()]).toEqual([304, '']);
  }
});
