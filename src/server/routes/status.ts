/** Routes for probes, monitoring and people: health, requests, metrics, and the chat page. */

import { compress } from 'hono/compress';
import { nearest } from '../../messages.ts';
import { ApiError } from '../api-error.ts';
import type { App, AppParts } from '../app-parts.ts';

export function statusRoutes(app: App, parts: AppParts): void {
  const { engine, requests, metrics, page } = parts;
  app.get('/livez', (c) => c.json({ status: 'ok' }));
  for (const path of ['/health', '/v1/health']) {
    app.get(path, (c) => {
      const { status, body } = health(parts);
      return c.json(body, status);
    });
  }
  app.get('/slots', async (c) =>
    c.json({
      running: requests.running,
      waiting: requests.waiting,
      requests: requests.list(),
      engine: { restarts: engine.restarts, ...(await engine.stats()) },
    }),
  );
  app.get('/metrics', async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  );
  app.get('/', compress({ encoding: 'gzip' }), (c) =>
    c.req.header('if-none-match') === page.headers.etag
      ? c.body(null, 304, page.headers)
      : c.body(page.html, 200, page.headers),
  );
}

/** `/livez` answers if the server runs, `/health` shows whether the model can answer. */
function health({ engine, facts }: AppParts): { status: 200 | 503; body: object } {
  if (facts.draining) return { status: 503, body: { status: 'shutting_down' } };
  if (!engine.isReady) return { status: 503, body: { status: 'loading', progress: engine.loaded } };
  return { status: 200, body: { status: 'ok' } };
}

// Requests that no route handles: OPTIONS, a wrong method, an unknown path.

const CHAT = 'POST /v1/chat/completions or /v1/responses';
/** Paths of other servers, and the hint for each. The first matching pattern counts. */
const ALTERNATIVES: readonly (readonly [path: RegExp, hint: string])[] = [
  [/^\/(?:v1\/)?messages(?:\/|$)/, `Anthropic's API is not served: use ${CHAT}.`],
  [
    /^\/(?:v1\/)?completions?$/,
    `Completions of a bare prompt are not served: use ${CHAT}, with template "base" for the bare text of a message.`,
  ],
  [/^\/(?:api\/)?(?:chat|generate)$/, `Ollama's API is not served: use ${CHAT}.`],
  [/^\/api\/(?:tags|ps|show|version)$/, "Ollama's API is not served: use GET /v1/models."],
  [
    /^\/(?:v1\/)?responses\/./,
    'Responses are not stored: POST /v1/responses returns all there is, and POST /v1/cancel/ID stops it.',
  ],
  [/^\/(?:v1\/)?embed|^\/api\/embed/, 'The model makes no embeddings.'],
  [/^\/(?:v1\/)?(?:images|audio|moderations|rerank)\b/, `The model answers with text: use ${CHAT}.`],
  [
    /^\/(?:v1\/)?(?:files|batches|assistants|threads|vector_stores|conversations)\b/,
    `The server stores nothing: use ${CHAT}.`,
  ],
];

export function notFoundRoute(app: App): void {
  app.notFound((c) => {
    const { method } = c.req;
    const path = c.req.path.slice(0, 200);
    const { methodsOf, paths } = endpointsOf(app);
    const allow = methodsOf(c.req.path);
    if (allow === undefined)
      throw new ApiError('not_found', `The path ${path} does not exist. ${hintFor(path, paths)}`);
    if (method === 'OPTIONS') return c.body(null, 204, { allow });
    throw new ApiError('method_not_allowed', `${path} takes ${allow}, not ${method}.`, {
      headers: { allow },
    });
  });
}

function hintFor(path: string, paths: readonly string[]): string {
  const plain = path.replace(/\/+$/, '');
  const alternative = ALTERNATIVES.find(([pattern]) => pattern.test(plain))?.[1];
  if (alternative !== undefined) return alternative;
  const meant = nearest(path, paths);
  return meant === undefined ? 'The API is under /v1.' : `Did you mean ${meant}?`;
}

// The endpoints of the app, read from its routes: for the header `allow`, for hints, and for metric labels.

export interface Endpoints {
  /** Their patterns, such as `/v1/models/:id`. */
  paths: readonly string[];
  /** The pattern that a path matches, or `other`. */
  patternOf(path: string): string;
  /** The methods for the header `allow`; undefined for an unknown path. */
  methodsOf(path: string): string | undefined;
}

const cache = new WeakMap<App, Endpoints>();

/** Call this only after all routes were added. */
export function endpointsOf(app: App): Endpoints {
  const endpoints = cache.get(app) ?? readRoutes(app);
  cache.set(app, endpoints);
  return endpoints;
}

function readRoutes(app: App): Endpoints {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of app.routes) {
    if (method === 'ALL') continue; // middleware
    const pattern = path.replaceAll(/\{.*?\}/g, '');
    const taken = methods.get(pattern) ?? new Set();
    methods.set(pattern, taken.add(method));
    if (method === 'GET') taken.add('HEAD');
  }
  const patterns = [...methods.keys()].map((pattern) => ({
    pattern,
    regExp: new RegExp(`^${pattern.replaceAll(/:\w+$/g, '.+')}/?$`),
  }));
  const find = (path: string) => patterns.find(({ regExp }) => regExp.test(path))?.pattern;
  return {
    paths: [...methods.keys()],
    patternOf: (path) => find(path) ?? 'other',
    methodsOf(path) {
      const pattern = find(path);
      return pattern === undefined ? undefined : [...methods.get(pattern)!].join(', ');
    },
  };
}

/** Paths without an API key: probes, and the page, which asks the user for the key. */
const PUBLIC_PATHS = new Set(['/', '/health', '/v1/health', '/livez']);

export function isPublic(path: string): boolean {
  return PUBLIC_PATHS.has(path);
}
