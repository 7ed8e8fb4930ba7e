/** Requests that no route handles: OPTIONS, a wrong method, an unknown path. */
import { nearest } from '../../messages.ts';
import { ApiError } from '../api-error.ts';
import type { App } from '../app-parts.ts';
import { endpointsOf } from '../endpoints.ts';

export function notFoundRoute(app: App): void {
  app.notFound((c) => {
    const { method } = c.req;
    const path = c.req.path.slice(0, 200);
    const { methodsOf, paths } = endpointsOf(app);
    const allow = methodsOf(c.req.path);
    if (allow === undefined) {
      const meant = nearest(path, paths);
      const hint = meant === undefined ? 'The API is under /v1.' : `Did you mean ${meant}?`;
      throw new ApiError('not_found', `There is nothing at ${path}. ${hint}`);
    }
    if (method === 'OPTIONS') return c.body(null, 204, { allow });
    throw new ApiError('method_not_allowed', `${path} takes ${allow}, not ${method}.`, {
      headers: { allow },
    });
  });
}
