/** Who may ask: API keys, the Host header, and the Origin of web pages. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { ApiError } from './api-error.ts';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** The keys of a server, as their digests: equally long, so comparing tells nothing about them. */
export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  get isEmpty(): boolean {
    return this.#digests.length === 0;
  }

  /**
   * A short name for the key that a request has, for the queue and the log. Every key is compared, whichever fits.
   * @throws ApiError invalid_api_key
   */
  clientOf(authorization: string | undefined, xApiKey: string | undefined): string {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? xApiKey;
    const own = digest(given ?? '');
    let known = false;
    for (const key of this.#digests) if (timingSafeEqual(key, own)) known = true;
    if (known && given !== undefined) return `key ${own.toString('hex', 0, 4)}`;
    const what =
      given === undefined ? 'This server needs an API key' : "The API key is not one of this server's";
    throw new ApiError(
      'invalid_api_key',
      `${what}: send it as "Authorization: Bearer KEY" or "x-api-key: KEY".`,
      {
        headers: { 'www-authenticate': 'Bearer' },
      },
    );
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Whether a Host header may be answered. A web page can have its own name resolve to 127.0.0.1 (DNS rebinding) and
 * would then talk to this server as if to its own; but its name stays in the header. So names must be known; an
 * address is no name, and `.localhost` and `.internal` cannot be anybody's.
 */
export function isAllowedHost(header: string | undefined, allowed: readonly string[]): boolean {
  const host = hostName(header);
  if (host === undefined) return false;
  return (
    isIP(host) !== 0 ||
    host === 'localhost' ||
    /\.(?:localhost|internal)$/.test(host) ||
    allowed.includes(host)
  );
}

/** Without port and brackets, in small letters. */
function hostName(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(header ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** Browsers tell where a page that sends a request is from; other programs send no Origin. */
export function isAllowedOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes(origin) || allowed.includes('*')) return true;
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host;
}
