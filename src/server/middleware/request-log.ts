/** Every request has an id, headers that all answers have, and a line in the log and a count in the metrics at its end. */
import { randomUUID } from 'node:crypto';
import type { App, AppParts } from '../app-parts.ts';
import { endpointsOf, isPublic } from '../endpoints.ts';

export function logRequests(app: App, { facts, log, metrics }: AppParts): void {
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
    metrics.request(endpointsOf(app).patternOf(path), status);
    const ms = Math.round(performance.now() - startedAt);
    const fields = { id, method, path: path.slice(0, 200), status, ms };
    if (isPublic(path) || path === '/metrics') log.debug(fields, 'request');
    else log.info(fields, 'request');
  });
}
