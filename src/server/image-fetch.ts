/**
 * Fetches images whose URLs clients send, and keeps clients out of the network of the server (SSRF).
 * The host name is resolved once, all its addresses must be public, and the connection uses the checked address. Redirects are followed
 * here, and each is checked. No proxy is used, because a proxy would resolve the name again.
 */

import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, type Dispatcher, request } from 'undici';
import { ApiError } from './api-error.ts';
import { joinInSteps } from './body/chunks.ts';
import { IMAGE_FETCH_LIMITS } from './limits.ts';

export type FetchImage = (url: string, signal: AbortSignal) => Promise<Uint8Array>;

export interface FetchRules {
  /** Whether all public addresses are allowed. */
  allowAny: boolean;
  /** Hosts that are allowed with any address. */
  allowHosts: readonly string[];
  maxBytes: number;
  timeoutMs: number;
  /** @param isNamed whether the host was named by --allow-image-host */
  resolve?: (host: string, signal: AbortSignal, isNamed: boolean) => Promise<readonly string[]>;
}

const MAX_REDIRECTS = IMAGE_FETCH_LIMITS.maxRedirects;

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
      throw failed(url, problemOf(error));
    }
  };
}

async function follow(url: string, rules: FetchRules, signal: AbortSignal): Promise<Uint8Array> {
  let at = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const { target, address } = await checkHop(url, at, hop, rules, signal);
    const agent = new Agent({
      connect: { lookup: (_host, options, done) => pinned(address, options, done) },
    });
    try {
      const response = await request(target, {
        dispatcher: agent,
        signal,
        headers: {
          accept: 'image/png, image/jpeg, image/webp, image/*;q=0.5',
          'accept-encoding': 'identity',
          'user-agent': 'cogvlm2',
        },
      });
      const { location } = response.headers;
      if (response.statusCode < 300) return await readBody(url, response, rules.maxBytes);
      response.body.on('error', () => {}).destroy();
      if (response.statusCode >= 400 || typeof location !== 'string') {
        throw failed(url, `it was answered with status ${response.statusCode}`);
      }
      at = new URL(location, target).href;
    } finally {
      await agent.destroy();
    }
  }
  throw failed(url, `it redirects more than ${MAX_REDIRECTS} times`);
}

/** The target of a redirect is checked like the first address, but errors do not contain it. */
async function checkHop(url: string, at: string, hop: number, rules: FetchRules, signal: AbortSignal) {
  try {
    const target = checkedUrl(at, rules);
    return { target, address: await checkedAddress(target, rules, signal) };
  } catch (error) {
    if (hop === 0 || !(error instanceof ApiError)) throw error;
    throw blocked(`${named(url)} redirects to an address that may not be fetched.`);
  }
}

function checkedUrl(text: string, { allowAny, allowHosts }: FetchRules): URL {
  if (text.length > IMAGE_FETCH_LIMITS.maxCharacters) {
    const message = `The address of an image has more than ${IMAGE_FETCH_LIMITS.maxCharacters} characters; that is the limit. Send an image itself as a data URL such as data:image/png;base64,...`;
    throw blocked(message);
  }
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
      ? 'This server fetches no images from the network; send a data URL, or start it with --allow-image-urls.'
      : `${hostOf(url)} is not one of the hosts that images are fetched from. Allow it with --allow-image-host ${hostOf(url)} or send a data URL.`,
  );
}

async function checkedAddress(
  url: URL,
  { allowHosts, resolve = resolveAll }: FetchRules,
  signal: AbortSignal,
): Promise<string> {
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolve(host, signal, allowHosts.includes(host)) : [host];
  signal.throwIfAborted();
  const [first] = addresses;
  if (first === undefined) throw failed(url.href, `${host} has no address`);
  const bad = allowHosts.includes(host) ? undefined : addresses.find((address) => !isGlobalAddress(address));
  if (bad === undefined) return first;
  throw blocked(
    `${named(url.href)} resolves to an address that is not public. Allow it with --allow-image-host ${host} or send a data URL.`,
  );
}

/**
 * Resolves a host until the signal aborts. An allowed host may be in /etc/hosts, so the system resolves it. For other hosts, the name
 * servers are asked directly, because the system uses one of four threads until a name server answers, and these threads also decode
 * images.
 */
async function resolveAll(host: string, signal: AbortSignal, isNamed: boolean): Promise<string[]> {
  if (isNamed) {
    const found = await untilAborted(lookup(host, { all: true }), signal);
    return found.map(({ address }) => address);
  }
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  const stop = () => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const families = [resolver.resolve4(host), resolver.resolve6(host)];
    const answers = await untilAborted(Promise.allSettled(families), signal);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Descriptions without addresses, because messages of the system contain hosts of the server's network. */
function problemOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return PROBLEMS[code] ?? 'the connection failed';
}

const PROBLEMS: Partial<Record<string, string>> = {
  ENOTFOUND: 'its host has no address',
  EAI_AGAIN: 'its host could not be looked up',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its host cannot be reached',
  ETIMEDOUT: 'its host did not answer',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'its host did not answer',
  UND_ERR_HEADERS_TIMEOUT: 'its host stopped answering',
  UND_ERR_BODY_TIMEOUT: 'its host stopped sending',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
};

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
    return await joinInSteps(chunks);
  } finally {
    body.on('error', () => {}).destroy();
  }
}

/** The host without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

/** The address without its query, which may contain a secret. */
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

/** The range of this address is public, but in Azure it is the host of a virtual machine, which answers internal requests. */
const AZURE_HOST = '168.63.129.16';

/**
 * Whether an IP address belongs to the public internet. Ranges for special use (RFC 6890) do not. IPv6 addresses that contain an IPv4
 * address do not count as public, because they reach the IPv4 address.
 */
export function isGlobalAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast' || address.toString() === AZURE_HOST) return false;
  // 2000::/3 is the whole IPv6 range for global unicast.
  return address.kind() === 'ipv4' || address.match(ipaddr.parse('2000::'), 3);
}
