/** What the server is doing, for probes, monitoring and people: health, requests, metrics, and the chat page. */
import { compress } from 'hono/compress';
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

/** `/livez` says that the server runs, `/health` whether the model can answer. */
function health({ engine, facts }: AppParts): { status: 200 | 503; body: object } {
  if (facts.draining) return { status: 503, body: { status: 'shutting_down' } };
  if (!engine.isReady) return { status: 503, body: { status: 'loading', progress: engine.loaded } };
  return { status: 200, body: { status: 'ok' } };
}
