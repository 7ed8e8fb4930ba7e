import { compress } from 'hono/compress';
import type { App, AppParts } from '../app-parts.ts';

/** The chat page, at a third of its size for those who read gzip. */
export function pageRoute(app: App, { page }: AppParts): void {
  app.get('/', compress({ encoding: 'gzip' }), (c) =>
    c.req.header('if-none-match') === page.headers.etag
      ? c.body(null, 304, page.headers)
      : c.body(page.html, 200, page.headers),
  );
}
