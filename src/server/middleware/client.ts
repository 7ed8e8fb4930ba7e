/** Who asks: the API key, or the address where there are no keys. And no new work while the server ends. */
import ipaddr from 'ipaddr.js';
import { ApiError } from '../api-error.ts';
import type { App, AppParts } from '../app-parts.ts';
import { isPublic } from '../endpoints.ts';

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
 * The address that a request came from. Each trusted proxy appends to X-Forwarded-For the address that it was asked
 * from, so the last address that is not a trusted proxy's is the client's; what stands before it, anybody can write.
 * IPv6 clients are told apart by their /64 network, because each has a whole one.
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
