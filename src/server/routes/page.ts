import type { App, AppParts } from '../app-parts.ts';

/** The chat page. */
export function pageRoute(app: App, { page }: AppParts): void {
  app.get('/', (c) =>
    c.req.header('if-none-match') === page.headers.etag
      ? c.body(null, 304, page.headers)
      : c.body(page.html, 200, page.headers),
  );
}
