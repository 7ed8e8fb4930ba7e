/** Under which names the server answers, and to the pages of which origins. */
import { cors } from 'hono/cors';
import { isAllowedHost, isAllowedOrigin } from '../access.ts';
import { ApiError } from '../api-error.ts';
import type { App, AppParts } from '../app-parts.ts';

/** What load balancers ask for. */
const PROBES = new Set(['/livez', '/health', '/v1/health']);

/** Requests are refused by ApiError host_not_allowed, origin_not_allowed. */
export function checkHostAndOrigin(app: App, { hosts, origins }: AppParts): void {
  app.use(async (c, next) => {
    const host = c.req.header('host');
    // HTTP/1.0 has no Host header, and simple health checks use it. Browsers always send one.
    const isProbe = host === undefined && PROBES.has(c.req.path);
    if (hosts !== null && !isProbe && !isAllowedHost(host, hosts)) {
      throw new ApiError(
        'host_not_allowed',
        `This server does not answer under the name ${JSON.stringify(host ?? '')}; allow it with --allowed-host.`,
      );
    }
    const origin = c.req.header('origin');
    if (!isAllowedOrigin(origin, host, origins)) {
      throw new ApiError(
        'origin_not_allowed',
        `Pages of ${JSON.stringify(origin)} may not use this server; allow them with --cors-origin.`,
      );
    }
    await next();
  });
  if (origins.length > 0)
    app.use(
      cors({
        origin: origins.includes('*') ? '*' : [...origins],
        exposeHeaders: ['x-request-id'],
        maxAge: 600,
      }),
    );
}
