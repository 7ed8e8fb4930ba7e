/** The HTTP side put together: what every request passes through, then the routes. */
import { Hono } from 'hono';
import { apiErrorOf } from './api-error.ts';
import type { App, AppParts, Env } from './app-parts.ts';
import { nameClient } from './gate/client.ts';
import { checkHostAndOrigin } from './gate/host-and-origin.ts';
import { logRequests } from './gate/request-log.ts';
import { chatRoutes } from './routes/chat.ts';
import { healthRoutes } from './routes/health.ts';
import { metricsRoute } from './routes/metrics.ts';
import { modelRoutes } from './routes/models.ts';
import { otherwise } from './routes/otherwise.ts';
import { pageRoute } from './routes/page.ts';
import { propsRoute } from './routes/props.ts';
import { slotsRoute } from './routes/slots.ts';
import { tokenRoutes } from './routes/tokens.ts';

export function createApp(parts: AppParts): App {
  // Not strict: a slash at the end of a path changes nothing.
  const app = new Hono<Env>({ strict: false });
  logRequests(app, parts);
  checkHostAndOrigin(app, parts);
  nameClient(app, parts);
  pageRoute(app, parts);
  healthRoutes(app, parts);
  modelRoutes(app, parts);
  chatRoutes(app, parts);
  tokenRoutes(app, parts);
  propsRoute(app, parts);
  slotsRoute(app, parts);
  metricsRoute(app, parts);
  otherwise(app);
  app.onError((error, c) => {
    const { status, body, headers } = apiErrorOf(error, c.get('id'));
    if (status === 500) parts.log.error({ id: c.get('id'), err: error }, 'failed');
    return Response.json(body, { status, headers });
  });
  return app;
}
