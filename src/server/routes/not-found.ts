/** Requests that no route handles: OPTIONS, a wrong method, an unknown path. */
import { nearest } from '../../messages.ts';
import { ApiError } from '../api-error.ts';
import type { App } from '../app-parts.ts';
import { endpointsOf } from '../endpoints.ts';

const CHAT = 'POST /v1/chat/completions or /v1/responses';
/** What other servers have at these paths, and what to use here. The first pattern that fits counts. */
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
      throw new ApiError('not_found', `There is nothing at ${path}. ${hintFor(path, paths)}`);
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
