/**
 * Fetching pictures that clients name, without becoming their way into the network that the server stands in (SSRF).
 * The name is resolved once, every address it has must be a public one, and the connection goes to the address that
 * was checked. Redirects are followed here, each checked again. No proxy is used: behind one, the check means nothing.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import { ApiError } from './api-error.ts';
import { isGlobalAddress } from './global-address.ts';

export type FetchImage = (url: string, signal: AbortSignal) => Promise<Uint8Array>;

export interface FetchRules {
  /** Whether addresses of the whole public network may be fetched. */
  allowAny: boolean;
  /** Hosts that may be fetched whatever their address is. */
  allowHosts: readonly string[];
  maxBytes: number;
  timeoutMs: number;
  resolve?: (host: string) => Promise<readonly string[]>;
}

const MAX_REDIRECTS = 3;

export function imageFetcher(rules: FetchRules): FetchImage {
  return async (url, outer) => {
    const limit = AbortSignal.timeout(rules.timeoutMs);
    const signal = AbortSignal.any([outer, limit]);
    try {
      return await follow(url, rules, signal);
    } catch (error) {
      outer.throwIfAborted();
      if (limit.aborted) throw failed(url, `it took longer than ${rules.timeoutMs / 1000} s`);
      if (error instanceof ApiError) throw error;
      throw failed(url, error instanceof Error ? error.message : String(error));
    }
  };
}

async function follow(url: string, rules: FetchRules, signal: AbortSignal): Promise<Uint8Array> {
  let at = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const target = checkedUrl(at, rules);
    const address = await checkedAddress(target, rules, signal);
    const agent = new Agent({
      connect: { lookup: (_host, options, done) => pinned(address, options, done) },
    });
    try {
      const response = await request(target, {
        dispatcher: agent,
        signal,
        headers: {
          accept: 'image/png, image/jpeg, image/webp',
          'accept-encoding': 'identity',
          'user-agent': 'cogvlm2',
        },
      });
      const { location } = response.headers;
      if (response.statusCode < 300) return await readBody(at, response, rules.maxBytes);
      response.body.on('error', () => {}).destroy();
      if (response.statusCode >= 400 || typeof location !== 'string') {
        throw failed(at, `it was answered with status ${response.statusCode}`);
      }
      at = new URL(location, target).href;
    } finally {
      await agent.destroy();
    }
  }
  throw failed(url, `it redirects more than ${MAX_REDIRECTS} times`);
}

function checkedUrl(text: string, { allowAny, allowHosts }: FetchRules): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw blocked(
      `${named(text)} is neither a data URL such as data:image/png;base64,... nor an http(s) address.`,
    );
  }
  if (url.username !== '' || url.password !== '') throw blocked(`${named(text)} holds a name or a password.`);
  if (allowAny || allowHosts.includes(hostOf(url))) return url;
  throw blocked(
    allowHosts.length === 0
      ? 'This server fetches no pictures from the network; send a data URL, or start it with --allow-image-urls.'
      : `${hostOf(url)} is not one of the hosts that pictures are fetched from. Allow it with --allow-image-host ${hostOf(url)} or send a data URL.`,
  );
}

async function checkedAddress(
  url: URL,
  { allowHosts, resolve = resolveAll }: FetchRules,
  signal: AbortSignal,
): Promise<string> {
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolve(host) : [host];
  signal.throwIfAborted();
  const [first] = addresses;
  if (first === undefined) throw failed(url.href, `${host} has no address`);
  const bad = allowHosts.includes(host) ? undefined : addresses.find((address) => !isGlobalAddress(address));
  if (bad === undefined) return first;
  throw blocked(
    `${named(url.href)} resolves to an address that is not public. Allow it with --allow-image-host ${host} or send a data URL.`,
  );
}

async function resolveAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

type LookupDone = (
  error: null,
  address: string | { address: string; family: number }[],
  family?: number,
) => void;

function pinned(address: string, options: { all?: boolean | undefined }, done: LookupDone): void {
  const family = isIP(address);
  if (options.all) done(null, [{ address, family }]);
  else done(null, address, family);
}

async function readBody(
  url: string,
  { headers, body }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<Uint8Array> {
  const tooLarge = (size: string) =>
    new ApiError('image_too_large', `${named(url)} has ${size} bytes; the limit is ${maxBytes} bytes.`);
  try {
    const announced = Number(headers['content-length'] ?? 0);
    if (announced > maxBytes) throw tooLarge(String(announced));
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(`more than ${maxBytes}`);
      chunks.push(chunk);
    }
    if (size === 0) throw failed(url, 'the answer is empty');
    return Buffer.concat(chunks);
  } finally {
    body.on('error', () => {}).destroy();
  }
}

/** Without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

/** Without the query, which may hold a secret. */
function named(text: string): string {
  const short = text.replace(/[?#].*$/s, '');
  return short.length > 120 ? `${short.slice(0, 117)}...` : short;
}

function blocked(message: string): ApiError {
  return new ApiError('image_url_blocked', message, { param: 'messages' });
}

function failed(url: string, why: string): ApiError {
  return new ApiError('image_fetch_failed', `${named(url)} could not be fetched: ${why}.`, {
    param: 'messages',
  });
}
