/** A server with limits and faults: which requests are tried again or delayed, which are refusals, and which end the run. */
import { setMaxListeners } from 'node:events';
import { expect, test } from 'vitest';
import type { Reply } from '../../../src/eval/run/chat-reply.ts';
import { Endpoint, type EndpointOptions } from '../../../src/eval/run/endpoint.ts';
import {
  type Arrival,
  completion,
  type Fault,
  type Limits,
  limitedServer,
  tooMany,
} from './limited-server.ts';

const signal = new AbortController().signal;
setMaxListeners(0, signal);

async function asked(limits: Limits, prompts: readonly string[], options: Partial<EndpointOptions> = {}) {
  await using server = await limitedServer(limits);
  await using endpoint = new Endpoint({
    url: server.url,
    model: 'm',
    env: {},
    pauseMs: () => 1,
    ...options,
  });
  const replies = await Promise.allSettled(
    prompts.map((prompt) => endpoint.chat(prompt, { temperature: 0 }, signal)),
  );
  return { replies, arrivals: server.arrivals };
}

/** The fault of the first requests; then answers. */
const first = (...faults: Fault[]): Limits => ({ fault: (_, request) => faults[request - 1] });

interface Outcome extends Partial<Reply> {
  code?: string;
  message?: string;
  requests: number;
  arrivals: Arrival[];
}

async function one(limits: Limits, options: Partial<EndpointOptions> = {}): Promise<Outcome> {
  const { replies, arrivals } = await asked(limits, ['question 1'], options);
  const [reply] = replies;
  const requests = arrivals.length;
  if (reply!.status === 'fulfilled') return { ...reply!.value, requests, arrivals };
  const { code, message } = reply!.reason;
  return { code, message, requests, arrivals };
}

test.each(['seconds', 'date'] as const)('waits as long as Retry-After says, in %s', async (form) => {
  const { text, arrivals } = await one(first(tooMany(form, 1)));
  expect(text).toBe('answer 1');
  expect(arrivals[1]!.atMs - arrivals[0]!.atMs).toBeGreaterThan(900);
});

test('a pause beyond ten minutes ends the run with its length', async () => {
  const { code, message, requests } = await one(first(tooMany('date', 7200)));
  expect([code, requests]).toEqual(['endpoint_failed', 1]);
  expect(message).toMatch(/asks to wait 120 minutes.*The limit is 10 minutes.*later/);
});

test('a question does not give up after 429 while other questions get answers', async () => {
  const prompts = Array.from({ length: 14 }, (_, i) => `question ${i}`);
  const { replies, arrivals } = await asked(
    { rate: { requests: 1, periodMs: 50, form: 'seconds' } },
    prompts,
  );
  expect(replies.filter(({ status }) => status === 'rejected')).toEqual([]);
  expect(arrivals.filter(({ status }) => status === 429).length).toBeGreaterThan(8);
});

test('a server that is always busy gets eight requests', async () => {
  for (const status of [429, 503, 529]) {
    const { code, message, requests } = await one({ fault: () => ({ status, body: 'busy' }) });
    expect([code, requests]).toEqual(['endpoint_failed', 8]);
    expect(message).toContain(`after 8 attempts: status ${status}, "busy"`);
  }
});

test('an account without credit ends the run at once, although its status is 429', async () => {
  const error = { code: 'insufficient_quota', message: 'You exceeded your quota' };
  const { code, requests } = await one({ fault: () => ({ status: 429, body: { error } }) });
  expect([code, requests]).toEqual(['endpoint_failed', 1]);
});

test.each<[string, Fault]>([
  ['a reset connection', { reset: 'at once' }],
  ['a body that is cut by a reset', { reset: 'in the body' }],
  ['a body that is cut and ends well', { body: '{"choices": [{"message": {"con' }],
  ['an empty body', { body: '' }],
  ['a page of a proxy', { status: 502, body: '<html><head><title>502 Bad Gateway</title></head></html>' }],
  ['an error of a server behind a gateway', { body: { error: { code: 502, message: 'Provider error' } } }],
])('%s is tried again', async (_, fault) => {
  const { text, requests } = await one(first(fault, fault));
  expect([text, requests]).toEqual(['answer 1', 3]);
});

test('a slow answer is accepted; after the timeout the request is repeated', async () => {
  expect(await one(first({ delayMs: 300 }))).toMatchObject({ text: 'answer 1', requests: 1 });
  const { text, requests } = await one(first({ delayMs: 60_000 }), { timeoutMs: 200 });
  expect([text, requests]).toEqual(['answer 1', 2]);
});

test('a page of a proxy is named by its title, not quoted', async () => {
  const page =
    '<!DOCTYPE html>\n<html><head>\n<title>\n 504 Gateway\n Time-out</title></head><body>...</body></html>';
  const { message } = await one({ fault: () => ({ status: 504, body: page }) });
  expect(message).toMatch(/status 504, an HTML page with the title "504 Gateway Time-out"\.$/);
  const login = await one({ fault: () => ({ status: 200, body: page.replace('504 Gateway', 'Login') }) });
  expect([login.code, login.requests]).toEqual(['endpoint_failed', 1]);
});

test('one question for which the server fails does not end the run; three in a row end it', async () => {
  const bad: Limits = { fault: (prompt) => (prompt === 'good' ? undefined : { status: 500, body: '' }) };
  await using server = await limitedServer(bad);
  await using endpoint = new Endpoint({ url: server.url, model: 'm', env: {}, pauseMs: () => 1 });
  const codes: string[] = [];
  for (const prompt of ['bad', 'bad', 'good', 'bad', 'bad', 'bad']) {
    const outcome = endpoint.chat(prompt, { temperature: 0 }, signal);
    codes.push(
      await outcome.then(
        () => 'answer',
        ({ code }) => code,
      ),
    );
  }
  const lost = 'endpoint_refused';
  expect(codes).toEqual([lost, lost, 'answer', lost, lost, 'endpoint_failed']);
});

test.each<[string, Fault, string]>([
  ['a finish reason', { body: completion({ content: 'I can' }, 'content_filter') }, 'I can'],
  ['the refusal field', { body: completion({ content: null, refusal: 'I cannot help.' }) }, 'I cannot help.'],
  [
    'a code of OpenAI',
    { status: 400, body: { error: { code: 'content_policy_violation', message: 'Not allowed' } } },
    'Not allowed',
  ],
  [
    'a code of Azure',
    {
      status: 400,
      body: {
        error: { code: 'x', message: 'Filtered', innererror: { code: 'ResponsibleAIPolicyViolation' } },
      },
    },
    'Filtered',
  ],
  [
    'a code of Alibaba Cloud',
    { status: 400, body: { code: 'DataInspectionFailed', message: 'Inappropriate content' } },
    'Inappropriate content',
  ],
  [
    'a flag of OpenRouter',
    { status: 403, body: { error: { code: 403, message: 'Flagged', metadata: { reasons: ['violence'] } } } },
    'Flagged',
  ],
])('a refusal by %s is an outcome, not a failure', async (_, fault, refusal) => {
  const {
    text,
    finishReason,
    refusal: words,
    requests,
  } = { refusal: '', ...(await one({ fault: () => fault })) };
  expect({ text, finishReason, words, requests }).toEqual({
    text: '',
    finishReason: 'refused',
    words: refusal,
    requests: 1,
  });
});

test('a request that is too large fails alone; a parameter that the server does not know ends the run', async () => {
  for (const status of [400, 413]) {
    const { code, requests } = await one({
      fault: () => ({ status, body: { error: { message: 'too large' } } }),
    });
    expect([code, requests]).toEqual(['endpoint_refused', 1]);
  }
  const error = { code: 'unsupported_parameter', message: 'max_tokens is not supported' };
  const { code, message } = await one({ fault: () => ({ status: 400, body: { error } }) });
  expect([code, message]).toEqual([
    'endpoint_failed',
    expect.stringContaining('max_tokens is not supported'),
  ]);
});

test('the key is not in messages, and neither a query nor a password is in the address', async () => {
  const key = 'sk-0123456789';
  const { message } = await one(
    { fault: () => ({ status: 401, body: { error: { message: `Incorrect key ${key}` } } }) },
    { key },
  );
  expect(message).toContain('Incorrect key ***');
  await using endpoint = new Endpoint({ url: 'https://example.com/v1?key=secret', model: 'm', env: {} });
  expect(endpoint.url).toBe('https://example.com/v1/chat/completions');
  expect(() => new Endpoint({ url: 'https://me:secret@example.com/v1', model: 'm', env: {} })).toThrow(
    /^The URL of example\.com has a user or a password/,
  );
});

test('a long pause is reported once, and an abort ends it at once', async () => {
  await using server = await limitedServer({ fault: () => tooMany('seconds', 300) });
  const stop = new AbortController();
  const pauses: [number, string][] = [];
  const onPause = (ms: number, what: string) => {
    pauses.push([ms, what]);
    setTimeout(() => stop.abort(), 20);
  };
  await using endpoint = new Endpoint({ url: server.url, model: 'm', env: {}, onPause });
  await expect(endpoint.chat('question 1', { temperature: 0 }, stop.signal)).rejects.toThrow(/abort/i);
  expect(pauses).toEqual([[300_000, expect.stringContaining('status 429')]]);
  expect(server.arrivals.length).toBe(1);
});
