/** The HTTP application: the middleware, then the routes. */

import { Hono } from 'hono';
import { apiErrorOf } from './api-error.ts';
import type { App, AppParts, Env } from './app-parts.ts';
import { checkHostAndOrigin, discardUnreadBodies, logRequests, nameClient } from './middleware.ts';
import { chatRoutes } from './routes/chat.ts';
import { modelRoutes } from './routes/models.ts';
import { pageRoutes } from './routes/pages.ts';
import { notFoundRoute, statusRoutes } from './routes/status.ts';

export function createApp(parts: AppParts): App {
  // Not strict: a slash at the end of a path is ignored.
  const app = new Hono<Env>({ strict: false });
  logRequests(app, parts);
  discardUnreadBodies(app, parts);
  checkHostAndOrigin(app, parts);
  nameClient(app, parts);
  statusRoutes(app, parts);
  modelRoutes(app, parts);
  chatRoutes(app, parts);
  pageRoutes(app, parts);
  notFoundRoute(app);
  app.onError((error, c) => {
    const { status, body, headers } = apiErrorOf(error, c.get('id'));
    if (status === 500) parts.log.error({ id: c.get('id'), err: error }, 'failed');
    return Response.json(body, { status, headers });
  });
  return app;
}
