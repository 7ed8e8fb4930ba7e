/** The server without sockets, with a scripted model. */
import sharp from 'sharp';
import { beforeEach, describe, expect, it } from 'vitest';
import { until } from '../cli/memory-terminal.ts';
import { eventsIn, eventsOf, type TestApp, testApp } from './in-process.ts';
import { type ScriptedHost, scriptedHost } from './scripted-host.ts';

let host: ScriptedHost;
let server: TestApp;
const open = async (options: Parameters<typeof testApp>[0] = {}) => {
  server = await testApp({ load: host.load, ...options });
  await server.started;
  return server;
};
beforeEach(async () => {
  host = scriptedHost();
  await open();
});

const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as {
    error: { code: string; message: string; param: string | null };
  };
  return { status: response.status, ...error };
};

/** A gate for the steps of the model. It is closed until it is opened. */
function closeGate(): () => void {
  let open = () => {};
  host.gate = new Promise((resolve) => {
    open = () => {
      host.gate = null;
      resolve();
    };
  });
  return open;
}

describe('a stream', () => {
  it('begins with the role before the answer runs, and ends with reason, timings, usage and [DONE]', async () => {
    const release = closeGate();
    const response = await server.chat({
      stream: true,
      max_tokens: 2,
      stream_options: { include_usage: true },
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toMatch(/^data: .*"role":"assistant","content":""/);
    release();
    let rest = '';
    for (let read = await reader.read(); !read.done; read = await reader.read()) rest += read.value;
    const events = eventsIn(rest);
    expect(events).toMatchObject([
      { choices: [{ delta: { content: 'word ' }, finish_reason: null }], usage: null },
      { choices: [{ delta: { content: 'word ' }, finish_reason: null }] },
      {
        choices: [{ delta: {}, finish_reason: 'length' }],
        timings: { predicted_n: 2, prompt_n: 3, cache_n: 1 },
      },
      { choices: [], usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 } },
      '[DONE]',
    ]);
  });

  it('has comments while there is no text', async () => {
    await open({ rules: { pingMs: 5 } });
    const release = closeGate();
    const response = await server.chat({ stream: true, max_tokens: 1 });
    const reader = response.body!.getReader();
    await reader.read();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(': ping\n\n');
    release();
    await reader.cancel();
  });

  it('stops the model within one step when its client disconnects, and frees its slot', async () => {
    const response = await server.chat({ stream: true, max_tokens: 1_000 });
    const reader = response.body!.getReader();
    for (let i = 0; i < 3; i++) await reader.read();
    await reader.cancel();
    // One step may be running, and another may begin before the message arrives.
    const steps = host.steps;
    await until(() => server.requests.running === 0);
    expect(host.steps - steps).toBeLessThanOrEqual(2);
    expect(await server.engine.call('stats')).toMatchObject({ running: 0 });
  });

  it('is closed when its client reads too slowly, while other clients are answered', async () => {
    await open({ rules: { maxBufferedBytes: 4_000 } });
    const slow = await server.chat({ stream: true, max_tokens: 1_000 });
    const other = await server.chat({ max_tokens: 20 });
    expect(other.status).toBe(200);
    await until(() => server.requests.running === 0);
    expect(host.steps).toBeLessThan(500);
    await expect(slow.text()).rejects.toThrow(/too slow/);
  });
});

describe('an answer', () => {
  it('is complete, with a warning about ignored images', async () => {
    const png = (
      await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
        .png()
        .toBuffer()
    ).toString('base64');
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } };
    const content = [image, { type: 'text', text: 'What?' }];
    const messages = [
      { role: 'user', content },
      { role: 'assistant', content: 'Red.' },
      { role: 'user', content },
    ];
    const response = await server.chat({ messages, max_tokens: 1 });
    expect(await response.json()).toMatchObject({
      object: 'chat.completion',
      model: 'demo',
      choices: [{ message: { role: 'assistant', content: 'word ' }, finish_reason: 'length' }],
      warnings: ['2 images are in the messages; the model sees one, the last.'],
    });
  });

  it('is stopped when the client disconnects', async () => {
    const leaver = new AbortController();
    const answer = server.chat({ max_tokens: 1_000 }, {}, leaver.signal);
    await until(() => host.steps > 3);
    leaver.abort();
    expect(await errorOf(await answer)).toMatchObject({ status: 499, code: 'cancelled' });
    expect(host.steps).toBeLessThan(900);
    expect(server.requests.list()).toEqual([]);
  });

  it('is stopped after the time limit', async () => {
    await open({ rules: { timeLimitMs: 30 } });
    const release = closeGate();
    const answer = server.chat();
    const streamed = await server.chat({ stream: true });
    setTimeout(release, 60);
    const response = await answer;
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(await errorOf(response)).toMatchObject({
      status: 504,
      code: 'request_timeout',
      message: expect.stringContaining('0.03 s'),
    });
    expect((await eventsOf(streamed)).at(-1)).toMatchObject({ error: { code: 'request_timeout' } });
  });
});

describe('cancelling', () => {
  it('stops an answer by its id, whole or streamed, for the client that asked', async () => {
    await open({ keys: ['first-key', 'second-key'] });
    const first = { authorization: 'Bearer first-key' };
    const release = closeGate();
    const answer = server.chat({}, { ...first, 'x-request-id': 'mine' });
    const stream = await server.chat({ stream: true }, { ...first, 'x-request-id': 'streamed' });
    await until(() => host.steps > 0);
    const cancel = (id: string, key: string) => server.post(`/v1/cancel/${id}`, '', { 'x-api-key': key });
    expect(await errorOf(await cancel('chatcmpl-mine', 'second-key'))).toMatchObject({
      status: 404,
      code: 'request_not_found',
    });
    expect(await (await cancel('chatcmpl-mine', 'first-key')).json()).toEqual({
      id: 'chatcmpl-mine',
      cancelled: true,
    });
    await cancel('chatcmpl-streamed', 'first-key');
    release();
    expect(await errorOf(await answer)).toMatchObject({ status: 499, code: 'cancelled' });
    expect((await eventsOf(stream)).at(-1)).toMatchObject({ error: { code: 'cancelled' } });
  });
});

describe('many requests at the same time', () => {
  it('refuses requests above the limit, and answers the others', async () => {
    await open({ admission: { parallel: 2, maxWaiting: 3 } });
    const release = closeGate();
    const answers = Array.from({ length: 5 }, () => server.chat({ max_tokens: 2 }));
    await until(() => server.requests.running === 5);
    const refused = await server.chat();
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(refused.headers.get('x-should-retry')).toBe('false');
    expect(await errorOf(refused)).toMatchObject({ status: 503, code: 'queue_full' });
    release();
    for (const answer of answers) expect((await answer).status).toBe(200);
  });

  it('limits a client, by its key', async () => {
    await open({ admission: { maxPerClient: 1 }, keys: ['first-key', 'second-key'] });
    const release = closeGate();
    const first = server.chat({ max_tokens: 1 }, { 'x-api-key': 'first-key' });
    await until(() => server.requests.running === 1);
    expect(await errorOf(await server.chat({}, { 'x-api-key': 'first-key' }))).toMatchObject({
      status: 429,
      code: 'rate_limited',
    });
    const other = server.chat({ max_tokens: 1 }, { 'x-api-key': 'second-key' });
    release();
    expect([(await first).status, (await other).status]).toEqual([200, 200]);
  });
});

describe('when the engine ends', () => {
  it('gives 503 or an error event to answers with text, and repeats the other requests', async () => {
    await open();
    const begun = await server.chat({ stream: true, max_tokens: 1_000 });
    const whole = server.chat({ max_tokens: 1_000 });
    await until(() => host.steps > 10);
    const release = closeGate();
    const waiting = server.chat({ max_tokens: 2 });
    await until(() => host.questions.length === 3);
    const asked = server.engine.stats();
    server.crash();
    expect([await asked, await server.engine.stats()]).toEqual([null, null]);
    expect((await server.app.request('/slots')).status).toBe(200);
    expect(await errorOf(await whole)).toMatchObject({ status: 503, code: 'engine_stopped' });
    expect((await eventsOf(begun)).at(-1)).toMatchObject({ error: { type: 'server_error' } });
    release();
    host.gate = null;
    expect((await waiting).status).toBe(200);
    expect((await server.chat({ max_tokens: 1 })).status).toBe(200);
    expect(server.engine.restarts).toBe(1);
    expect([server.requests.running, server.requests.waiting]).toEqual([0, 0]);
  });

  it('runs a request that ends the engine at most twice', async () => {
    await open();
    closeGate();
    const poison = server.chat();
    for (const times of [1, 2]) {
      // The server must know that the request runs: a request that only waited may be sent again.
      await until(() => host.questions.length === times && server.requests.running === 1);
      server.crash();
      if (times === 1) await until(() => server.engine.isReady);
    }
    expect(await errorOf(await poison)).toMatchObject({ status: 503, code: 'engine_stopped' });
    expect(host.questions).toHaveLength(2);
  });
});

describe('while the model loads', () => {
  it('answers 503, and /livez works', async () => {
    let loaded = () => {};
    const slow = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    server = await testApp({ load: () => slow.then(host.load) });
    const health = await server.app.request('/health');
    expect([health.status, await health.json()]).toEqual([503, { status: 'loading', progress: 0 }]);
    expect((await server.app.request('/livez')).status).toBe(200);
    const refused = await server.chat();
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(await errorOf(refused)).toMatchObject({ status: 503, code: 'model_loading' });
    loaded();
    await server.started;
    expect((await server.app.request('/health')).status).toBe(200);
  });
});

describe('access', () => {
  it('requires a key for all paths except those of probes and the page', async () => {
    await open({ keys: ['first-key'] });
    for (const path of ['/', '/health', '/v1/health', '/livez'])
      expect((await server.app.request(path)).status).toBe(200);
    for (const path of ['/v1/models', '/props', '/slots', '/metrics', '/nowhere']) {
      const response = await server.app.request(path);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await errorOf(response)).toMatchObject({ status: 401, code: 'invalid_api_key' });
    }
    expect((await server.app.request('/v1/models', { headers: { 'x-api-key': 'first-key' } })).status).toBe(
      200,
    );
  });

  it('refuses other host names and other origins, and accepts the configured origins', async () => {
    await open({ parts: { hosts: [], origins: ['https://chat.example'] } });
    const get = (headers: Record<string, string>) => server.app.request('/v1/models', { headers });
    expect(await errorOf(await get({ host: 'evil.example' }))).toMatchObject({
      status: 403,
      code: 'host_not_allowed',
    });
    const local = { host: 'localhost:8000' };
    expect(await errorOf(await get({ ...local, origin: 'https://evil.example' }))).toMatchObject({
      status: 403,
      code: 'origin_not_allowed',
    });
    const named = await get({ ...local, origin: 'https://chat.example' });
    expect([named.status, named.headers.get('access-control-allow-origin')]).toEqual([
      200,
      'https://chat.example',
    ]);
    const own = await get({ ...local, origin: 'http://localhost:8000' });
    expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([200, null]);
  });
});

describe('limits of a request', () => {
  it('refuses a large body by its Content-Length and by its real size', async () => {
    const announced = await server.post('/v1/chat/completions', '{}', { 'content-length': '99999999' });
    expect(await errorOf(announced)).toMatchObject({
      status: 413,
      code: 'request_too_large',
      message: expect.stringContaining('99999999 bytes; the limit is 4194304'),
    });
    const real = await server.post('/v1/chat/completions', 'x'.repeat(5_000_000));
    expect(await errorOf(real)).toMatchObject({ status: 413, code: 'request_too_large' });
  });

  it('refuses text that is far beyond the context without counting its tokens', async () => {
    const response = await server.chat({ messages: [{ role: 'user', content: 'x'.repeat(70_000) }] });
    expect(await errorOf(response)).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      message: expect.stringContaining('70000 bytes'),
    });
  });

  it.each([
    ['text that is not JSON', '{"messages":', 'invalid_json'],
    ['bytes that are not text', '\u0000', 'invalid_json'],
    ['an empty body', '', 'invalid_json'],
    ['a list', '[]', 'invalid_value'],
  ])('refuses %s', async (_, body, code) => {
    expect(await errorOf(await server.post('/v1/chat/completions', body))).toMatchObject({
      status: 400,
      code,
    });
  });

  const picture = (url: string) => [
    {
      role: 'user',
      content: [
        { type: 'text', text: '?' },
        { type: 'image_url', image_url: { url } },
      ],
    },
  ];
  it.each([
    [
      'data that is not HEIC',
      'data:image/heic;base64,AAAA',
      'invalid_image_format',
      'The image (sent as image/heic) is unknown data; PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF and HEIC images are read.',
    ],
    [
      'a Photoshop document with the type PNG',
      `data:image/png;base64,${Buffer.from('8BPS').toString('base64')}`,
      'invalid_image_format',
      'The image (sent as image/png) is a Photoshop document (PSD); PNG, JPEG',
    ],
    ['data that is not base64', 'data:image/png;base64,@@@@', 'invalid_image', 'not base64'],
    ['nothing', 'data:image/png;base64,', 'invalid_image', 'empty'],
    [
      'the head of a PNG',
      `data:image/png;base64,${Buffer.from('\x89PNG\r\n\x1a\n', 'latin1').toString('base64')}`,
      'invalid_image',
      'damaged',
    ],
    ['an address', 'https://pictures.example/a.png', 'image_url_blocked', '--allow-image-urls'],
    ['a path', '/etc/passwd', 'image_url_blocked', 'neither a data URL'],
    ['a file', 'file:///etc/passwd', 'image_url_blocked', 'neither a data URL'],
  ])('refuses %s as an image', async (_, url, code, sentence) => {
    expect(await errorOf(await server.chat({ messages: picture(url) }))).toMatchObject({
      status: 400,
      code,
      param: 'messages',
      message: expect.stringContaining(sentence),
    });
  });

  it('refuses an image with too many pixels by its header', async () => {
    const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    png.writeUInt32BE(40_000, 16);
    png.writeUInt32BE(40_000, 20);
    const messages = picture(`data:image/png;base64,${png.toString('base64')}`);
    expect(await errorOf(await server.chat({ messages }))).toMatchObject({
      status: 400,
      code: 'image_too_large',
      message: expect.stringContaining(
        '40000 x 40000 pixels, 1600 megapixels; the limit for this format is 1.',
      ),
    });
  });
});

describe('the other endpoints', () => {
  it('describe the model and its state', async () => {
    const get = async (path: string) => (await server.app.request(path)).json();
    expect(await get('/v1/models')).toMatchObject({
      data: [{ id: 'demo', architecture: { input_modalities: ['text', 'image'] } }, { id: 'also' }],
    });
    expect(await get('/v1/models/also')).toMatchObject({ id: 'also' });
    expect(await get('/props')).toMatchObject({
      chat_template: 'Question: {question} Answer: {answer}\nQuestion: {question} Answer:',
      model: 'demo',
      n_ctx: 4096,
      image: { tokens: 6 },
      total_slots: 2,
    });
    expect(await get('/slots')).toMatchObject({
      running: 0,
      waiting: 0,
      requests: [],
      engine: { restarts: 0, running: 0 },
    });
  });

  it('count tokens, encode text and decode tokens', async () => {
    const post = async (path: string, body: object) => (await server.post(path, body)).json();
    const messages = [{ role: 'user', content: 'Why?' }];
    expect(await post('/v1/chat/completions/input_tokens', { messages })).toEqual({
      object: 'response.input_tokens',
      input_tokens: 4,
      image_tokens: 0,
    });
    expect(await post('/tokenize', { content: 'ab' })).toEqual({ tokens: [97, 98] });
    expect(await post('/detokenize', { tokens: [97, 98] })).toEqual({ content: 'ab' });
    expect(await post('/tokenize', { text: 'ab' })).toMatchObject({ error: { code: 'invalid_value' } });
    expect(await post('/detokenize', { tokens: [-1] })).toMatchObject({ error: { code: 'invalid_value' } });
    expect(server.requests.waiting).toBe(0);
  });

  it('distinguish a wrong path from a wrong method', async () => {
    expect(await errorOf(await server.app.request('/v2/models'))).toMatchObject({
      status: 404,
      code: 'not_found',
    });
    const wrong = await server.app.request('/v1/chat/completions');
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(await errorOf(wrong)).toMatchObject({ status: 405, code: 'method_not_allowed' });
    expect(await errorOf(await server.app.request('/v1/models/gpt-4'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });

  it('are counted in the metrics', async () => {
    await server.chat({ max_tokens: 3 });
    await server.chat({ top_p: 3 });
    await server.app.request('/a/path/of/somebody');
    const text = await (await server.app.request('/metrics')).text();
    for (const line of [
      'cogvlm2_requests_total{endpoint="/v1/chat/completions",code="200"} 1',
      'cogvlm2_requests_total{endpoint="/v1/chat/completions",code="400"} 1',
      'cogvlm2_requests_total{endpoint="other",code="404"} 1',
      'cogvlm2_prompt_tokens_total 4',
      'cogvlm2_generation_tokens_total 3',
      'cogvlm2_request_success_total{finish_reason="length"} 1',
      'cogvlm2_requests_running 0',
      'cogvlm2_model_loaded 1',
      'cogvlm2_kv_cache_usage_ratio 0.5',
      'cogvlm2_engine_restarts_total 0',
      'cogvlm2_build_info{version="1.2.3",model="scripted",device="CPU"} 1',
      'cogvlm2_limit{name="slots"} 2',
      'cogvlm2_gpu_memory_bytes{kind="used"} 3000000000',
      'cogvlm2_gpu_memory_bytes{kind="total"} 24000000000',
      'cogvlm2_time_to_first_token_seconds_count 1',
      'cogvlm2_e2e_request_latency_seconds_count 1',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_max_seconds \d/m);
  });
});

describe('the log', () => {
  it('has a line for an answer and for a request, without their texts', async () => {
    const lines: string[] = [];
    await open({ logTo: { write: (text) => void lines.push(text) }, keys: ['first-key'] });
    const headers = { authorization: 'Bearer first-key' };
    await server.chat({ messages: [{ role: 'user', content: 'hush' }], max_tokens: 2, hushed: 1 }, headers);
    await server.chat({ messages: [{ role: 'hush', content: 'hush' }] }, headers);
    await server.post('/v1/chat/completions?hush=1', '{"hush', headers);
    const log = lines.join('');
    expect(log).toContain('"completionTokens":2');
    expect(log).not.toMatch(/hush|word|first-key/);
  });
});

describe('while it ends', () => {
  it('refuses new work with an error', async () => {
    server.facts.draining = true;
    const refused = await server.chat();
    expect(refused.headers.get('connection')).toBe('close');
    expect(await errorOf(refused)).toMatchObject({ status: 503, code: 'shutting_down' });
    expect((await server.app.request('/health')).status).toBe(503);
    expect((await server.app.request('/livez')).status).toBe(200);
  });
});
