import type { App, AppParts } from '../app-parts.ts';

/** Numbers for Prometheus. */
export function metricsRoute(app: App, { metrics }: AppParts): void {
  app.get('/metrics', async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  );
}
