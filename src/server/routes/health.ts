import type { App, AppParts } from '../app-parts.ts';

/** `/livez` says that the server runs, `/health` whether the model can answer. */
export function healthRoutes(app: App, parts: AppParts): void {
  app.get('/livez', (c) => c.json({ status: 'ok' }));
  for (const path of ['/health', '/v1/health']) {
    app.get(path, (c) => {
      const { status, body } = health(parts);
      return c.json(body, status);
    });
  }
}

function health({ engine, facts }: AppParts): { status: 200 | 503; body: object } {
  if (facts.draining) return { status: 503, body: { status: 'shutting_down' } };
  if (!engine.isReady) return { status: 503, body: { status: 'loading', progress: engine.loaded } };
  return { status: 200, body: { status: 'ok' } };
}
