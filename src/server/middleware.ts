/** Names the client of a request by its API key or its address, and refuses new work during the shutdown. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { cors } from 'hono/cors';
import ipaddr from 'ipaddr.js';
import { isAllowedHost, isAllowedOrigin } from './access.ts';
import { ApiError } from './api-error.ts';
import type { App, AppParts } from './app-parts.ts';
import { DISCARD_LIMITS } from './limits.ts';
import { endpointsOf, isPublic } from './routes/status.ts';

/** Requests are refused by ApiError invalid_api_key, shutting_down. */
export function nameClient(app: App, { keys, facts, isTrustedProxy }: AppParts): void {
  app.use(async (c, next) => {
    if (isPublic(c.req.path) || keys.isEmpty) {
      const peer = c.env?.incoming?.socket.remoteAddress;
      c.set('client', clientAddress(peer, c.req.header('x-forwarded-for'), isTrustedProxy));
    } else c.set('client', keys.clientOf(c.req.header('authorization'), c.req.header('x-api-key')));
    if (facts.draining && c.req.method === 'POST') {
      throw new ApiError('shutting_down', 'The server is shutting down.', {
        headers: { 'retry-after': '10' },
      });
    }
    await next();
  });
}

/**
 * The address of the client. Each trusted proxy appends the address of its client to X-Forwarded-For. So the last address that is not a
 * trusted proxy is the client. Addresses before it may be forged. IPv6 clients are identified by their /64 network, because each client
 * has a whole network.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  isTrusted: (address: string) => boolean,
): string {
  let client = peer;
  const forwarded = forwardedFor?.split(',') ?? [];
  while (client !== undefined && isTrusted(client)) {
    const before = forwarded
      .pop()
      ?.trim()
      .replace(/^\[|\](?::\d+)?$/g, '');
    if (before === undefined || !ipaddr.isValid(before)) break;
    client = before;
  }
  return client === undefined ? 'local' : networkOf(client);
}

function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`);
  return parsed.range() === 'loopback' ? parsed.toString() : `${network.toString()}/64`;
}

/** @param proxies addresses and networks. @returns whether an address is one of them */
export function trustedProxies(proxies: readonly string[]): (address: string) => boolean {
  const networks = proxies.map((proxy) => {
    if (ipaddr.isValidCIDR(proxy)) return ipaddr.parseCIDR(proxy);
    const address = ipaddr.process(proxy);
    return [address, address.kind() === 'ipv4' ? 32 : 128] as [typeof address, number];
  });
  return (address) => {
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return networks.some(
      ([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits),
    );
  };
}

// If a refusal did not read the body, the connection would close while the client still sends. The client would get a reset instead of
// the answer, and a proxy would treat this server as dead. So the rest of the body is read and discarded first.

export function discardUnreadBodies(app: App, { bodyLimits }: AppParts): void {
  app.use(async (c, next) => {
    await next();
    const incoming = c.env?.incoming;
    if (incoming === undefined || c.res.status < 400 || incoming.readableEnded || incoming.destroyed) return;
    const whole = await discard(incoming, bodyLimits.maxBytes + DISCARD_LIMITS.extraBytes);
    if (!whole) c.header('connection', 'close');
  });
}

/** @returns whether the body ended within the limits */
function discard(incoming: IncomingMessage, maxBytes: number): Promise<boolean> {
  return new Promise((resolve) => {
    let sizeBytes = 0;
    const finish = (whole: boolean) => {
      clearTimeout(timer);
      incoming.off('data', onData);
      incoming.off('end', onEnd);
      incoming.off('close', onClose);
      incoming.off('error', onClose);
      resolve(whole);
    };
    const onData = (chunk: Uint8Array) => {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > maxBytes) finish(false);
    };
    const onEnd = () => finish(true);
    const onClose = () => finish(false);
    const timer = setTimeout(onClose, DISCARD_LIMITS.timeoutMs);
    // The stream of the handler would pause it repeatedly.
    incoming.removeAllListeners('data');
    incoming.on('data', onData);
    incoming.on('end', onEnd);
    incoming.on('close', onClose);
    incoming.on('error', onClose);
    incoming.resume();
  });
}

// Accepted host names and origins.

/** Paths of load balancers. */
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

// Every request gets an id, the common headers of answers, and at its end a line in the log and a count in the metrics.

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
