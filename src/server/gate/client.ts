/** Who asks: by the API key, or by the address where there are no keys. And no new work while the server ends. */
import { ApiError } from '../api-error.ts';
import type { App, AppParts } from '../app-parts.ts';
import { isPublic } from '../endpoints.ts';

/** Requests are refused by ApiError invalid_api_key, shutting_down. */
export function nameClient(app: App, { keys, facts }: AppParts): void {
  app.use(async (c, next) => {
    if (isPublic(c.req.path) || keys.isEmpty)
      c.set('client', c.env?.incoming?.socket.remoteAddress ?? 'local');
    else c.set('client', keys.clientOf(c.req.header('authorization'), c.req.header('x-api-key')));
    if (facts.draining && c.req.method === 'POST') {
      throw new ApiError('shutting_down', 'The server is shutting down.', {
        headers: { 'retry-after': '10' },
      });
    }
    await next();
  });
}
