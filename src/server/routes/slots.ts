import type { App, AppParts } from '../app-parts.ts';

/** What is under way, and what the engine says of itself. */
export function slotsRoute(app: App, { engine, queue, running }: AppParts): void {
  app.get('/slots', async (c) =>
    c.json({
      running: queue.running,
      waiting: queue.waiting,
      requests: running.list(),
      engine: { restarts: engine.restarts, ...(await engine.stats()) },
    }),
  );
}
