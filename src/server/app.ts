/** The routes, and what every request passes through before them. */
import { randomUUID } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { z } from 'zod';
import { type ApiKeys, isAllowedHost, isAllowedOrigin } from './access.ts';
import { ApiError, apiErrorOf } from './api-error.ts';
import { readJson } from './body.ts';
import { type Arrival, ChatAnswers, type ChatParts } from './chat/answers.ts';
import { checkModel } from './chat/request.ts';
import { checkTextSize } from './chat/text-size.ts';
import { type Facts, health, models, props, slots } from './facts.ts';
import type { Page } from './page.ts';

export interface AppParts extends ChatParts {
  facts: Facts;
  keys: ApiKeys;
  page: Page;
  /** The names that the Host header may have; null checks none. */
  hosts: readonly string[] | null;
  /** Web pages elsewhere that may use this server. */
  origins: readonly string[];
}

interface Env {
  /** Absent where a test calls the app without a socket. */
  Bindings: Partial<HttpBindings>;
  Variables: { id: string; client: string };
}

/** Answered without a key: what probes ask for, and the page, which asks for the key itself. */
const PUBLIC = new Set(['/', '/health', '/v1/health', '/livez']);

const tokenizeSchema = z.object({ content: z.string() });
const detokenizeSchema = z.object({
  tokens: z
    .array(
      z
        .int()
        .min(0)
        .max(2 ** 31 - 1),
    )
    .max(1_000_000),
});

export function createApp(parts: AppParts) {
  const { engine, metrics, log, running, rules, facts, keys, page } = parts;
  const chat = new ChatAnswers(parts);
  const app = new Hono<Env>();

  app.use(async (c, next) => {
    const startedAt = performance.now();
    const given = c.req.header('x-request-id');
    const id = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
    c.set('id', id);
    await next();
    const { method, path } = c.req;
    const { status } = c.res;
    c.header('x-request-id', id);
    c.header('x-content-type-options', 'nosniff');
    c.header('referrer-policy', 'no-referrer');
    if (facts.draining) c.header('connection', 'close');
    metrics.request(endpointOf(path), status);
    const fields = {
      id,
      method,
      path: path.slice(0, 200),
      status,
      ms: Math.round(performance.now() - startedAt),
    };
    if (PUBLIC.has(path) || path === '/metrics') log.debug(fields, 'request');
    else log.info(fields, 'request');
  });

  app.use(async (c, next) => {
    const { hosts, origins } = parts;
    const host = c.req.header('host');
    if (hosts !== null && !isAllowedHost(host, hosts)) {
      throw new ApiError(
        'host_not_allowed',
        `This server does not answer under the name ${JSON.stringify(host ?? '')}; allow it with --allowed-host.`,
      );
    }
    const origin = c.req.header('origin');
    if (!isAllowedOrigin(origin, host, origins)) {
      throw new ApiError(
        'origin_not_allowed',
        `Pages of ${JSON.stringify(origin)} may not use this server; allow them with --cors-origin.`,
      );
    }
    await next();
  });
  if (parts.origins.length > 0) {
    app.use(cors({ origin: [...parts.origins], exposeHeaders: ['x-request-id'], maxAge: 600 }));
  }

  app.use(async (c, next) => {
    if (PUBLIC.has(c.req.path) || keys.isEmpty)
      c.set('client', c.env?.incoming?.socket.remoteAddress ?? 'local');
    else c.set('client', keys.clientOf(c.req.header('authorization'), c.req.header('x-api-key')));
    if (facts.draining && c.req.method === 'POST') {
      throw new ApiError('shutting_down', 'The server is shutting down.', {
        headers: { 'retry-after': '10' },
      });
    }
    await next();
  });

  app.get('/', (c) =>
    c.req.header('if-none-match') === page.headers.etag
      ? c.body(null, 304, page.headers)
      : c.body(page.html, 200, page.headers),
  );
  app.get('/livez', (c) => c.json({ status: 'ok' }));
  for (const path of ['/health', '/v1/health']) {
    app.get(path, (c) => {
      const { status, body } = health(parts, facts);
      return c.json(body, status);
    });
  }
  app.get('/metrics', async (c) =>
    c.body(await metrics.registry.metrics(), 200, { 'content-type': metrics.registry.contentType }),
  );
  app.get('/props', (c) => c.json(props(parts, facts)));
  app.get('/slots', async (c) => c.json(await slots(parts)));
  app.get('/v1/models', (c) => c.json({ object: 'list', data: models(parts, facts) }));
  app.get('/v1/models/:id{.+}', (c) => {
    const id = c.req.param('id');
    checkModel(id, rules.names);
    return c.json(models(parts, facts).find((model) => model.id === id) ?? models(parts, facts)[0]!);
  });

  const body = (c: Context<Env>) => readJson(c.req.raw, facts.maxBodyBytes);
  const arrival = (c: Context<Env>): Arrival => ({
    id: c.get('id'),
    client: c.get('client'),
    readBody: () => body(c),
    left: c.req.raw.signal,
  });
  app.post('/v1/chat/completions', (c) => chat.answer(arrival(c)));
  /** What reads a body takes a place in the queue for so long: the bodies held at one time are bounded. */
  const inPlace = async <T>(c: Context<Env>, work: () => Promise<T>): Promise<T> => {
    const place = parts.queue.enter(c.get('client'));
    return work().finally(place.leave);
  };
  app.post('/v1/chat/completions/input_tokens', async (c) =>
    c.json(await inPlace(c, () => chat.countTokens(arrival(c)))),
  );
  app.post('/v1/cancel/:id', (c) => {
    const id = c.req.param('id');
    running.cancel(id, c.get('client'));
    return c.json({ id, cancelled: true });
  });
  app.post('/tokenize', async (c) => {
    const parsed = tokenizeSchema.safeParse(await inPlace(c, () => body(c)));
    if (!parsed.success)
      throw new ApiError('invalid_value', 'The body must be {"content":"..."}.', { param: 'content' });
    const { content } = parsed.data;
    checkTextSize([content], engine.info.contextSize);
    return c.json({ tokens: await engine.call('tokenize', content) });
  });
  app.post('/detokenize', async (c) => {
    const parsed = detokenizeSchema.safeParse(await inPlace(c, () => body(c)));
    if (!parsed.success)
      throw new ApiError('invalid_value', 'The body must be {"tokens":[1,2,3]}, ids of tokens.', {
        param: 'tokens',
      });
    return c.json({ content: await engine.call('detokenize', parsed.data.tokens) });
  });

  app.notFound((c) => {
    const allowed = METHODS[endpointOf(c.req.path)];
    const { method, path } = c.req;
    if (allowed === undefined) throw new ApiError('not_found', `There is nothing at ${path.slice(0, 200)}.`);
    throw new ApiError('method_not_allowed', `${path.slice(0, 200)} takes ${allowed}, not ${method}.`, {
      headers: { allow: allowed },
    });
  });
  app.onError((error, c) => {
    const { status, body, headers } = apiErrorOf(error, c.get('id'));
    if (status === 500) log.error({ id: c.get('id'), err: error }, 'failed');
    return Response.json(body, { status, headers });
  });
  return app;
}

const METHODS: Partial<Record<string, string>> = {
  '/': 'GET',
  '/livez': 'GET',
  '/health': 'GET',
  '/v1/health': 'GET',
  '/metrics': 'GET',
  '/props': 'GET',
  '/slots': 'GET',
  '/v1/models': 'GET',
  '/v1/models/:id': 'GET',
  '/v1/chat/completions': 'POST',
  '/v1/chat/completions/input_tokens': 'POST',
  '/v1/cancel/:id': 'POST',
  '/tokenize': 'POST',
  '/detokenize': 'POST',
};

/** A path as one of a few words, for the metrics. */
function endpointOf(path: string): string {
  const general = path.replace(/^(\/v1\/(?:models|cancel)\/).+$/, '$1:id');
  return general in METHODS ? general : 'other';
}
