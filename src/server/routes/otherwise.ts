/** What no other route answers: OPTIONS, a wrong method, a wrong path. */
import { nearest } from '../../messages.ts';
import { ApiError } from '../api-error.ts';
import type { App } from '../app-parts.ts';
import { methodsOf, PATHS } from '../endpoints.ts';

export function otherwise(app: App): void {
  app.notFound((c) => {
    const { method } = c.req;
    const path = c.req.path.slice(0, 200);
    const allow = methodsOf(c.req.path);
    if (allow === undefined) throw new ApiError('not_found', `There is nothing at ${path}.${hint(path)}`);
    if (method === 'OPTIONS') return c.body(null, 204, { allow });
    throw new ApiError('method_not_allowed', `${path} takes ${allow}, not ${method}.`, {
      headers: { allow },
    });
  });
}

function hint(path: string): string {
  const meant = nearest(path, PATHS);
  return meant === undefined ? ' The API is under /v1.' : ` Did you mean ${meant}?`;
}
