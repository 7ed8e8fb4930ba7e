/** Access control: API keys, the Host header, and the Origin of web pages. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { ApiError } from './api-error.ts';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** The digests of the API keys. They have the same length, so a comparison reveals nothing about the keys. */
export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  get isEmpty(): boolean {
    return this.#digests.length === 0;
  }

  /**
   * A short name for the key of a request, for the queue and the log. All keys are compared, also after a match.
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
 * Whether a Host header is accepted. The name of a web page may resolve to 127.0.0.1 (DNS rebinding). The page could then use this
 * server like its own, but the header still has the name of the page. So names must be in a list. Addresses are accepted, and so are
 * `.localhost` and `.internal`, which nobody can register.
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

/** The host without port and brackets, in lower case. */
function hostName(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(header ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** Browsers send the Origin of the page. Other programs do not send one. */
export function isAllowedOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes(origin) || allowed.includes('*')) return true;
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host;
}
