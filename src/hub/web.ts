/**
 * Requests to a source. Redirects are followed here, with their queries as they come, because signed addresses live in
 * them; the token goes to the source itself and to no other host.
 */

import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import { certificateAuthorities, certificateProblem, proxyFor } from './connection.ts';
import { Interrupted, networkProblem, Refused, statusFailure } from './failure.ts';

export interface WebOptions {
  /** Where the token may go. */
  endpoint: string;
  token?: string | undefined;
  env: NodeJS.ProcessEnv;
  /** A connection that is silent for so long is given up. */
  stallMs: number;
  signal: AbortSignal;
}

export interface WebResponse {
  /** Where the redirects led. */
  url: string;
  status: number;
  header(name: string): string | undefined;
  body: Dispatcher.ResponseData['body'];
}

const MAX_REDIRECTS = 10;
const MAX_JSON_BYTES = 64 * 2 ** 20;

export class Web implements AsyncDisposable {
  readonly #options: WebOptions;
  readonly #dispatchers = new Map<string, Dispatcher>();
  /** Where redirects led, so that not every part of a file asks the source for its way. */
  readonly #ledTo = new Map<string, string>();

  constructor(options: WebOptions) {
    this.#options = options;
  }

  /** @throws Interrupted or Refused; an abort throws the signal's reason. */
  async get(
    url: string,
    headers: Record<string, string> = {},
    signal: AbortSignal = this.#options.signal,
  ): Promise<WebResponse> {
    const known = this.#ledTo.get(url);
    if (known !== undefined) {
      try {
        return await this.#follow(known, headers, signal);
      } catch (cause) {
        if (!(cause instanceof Refused || cause instanceof Interrupted)) throw cause;
        this.#ledTo.delete(url); // A signed address serves for an hour or so; the source gives another.
      }
    }
    const response = await this.#follow(url, headers, signal);
    if (response.url !== url) this.#ledTo.set(url, response.url);
    return response;
  }

  async #follow(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<WebResponse> {
    let at = url;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await this.#once(at, headers, signal);
      const location = response.header('location');
      const { status } = response;
      if (status < 300) return response;
      discard(response);
      if (status >= 400 || location === undefined) {
        throw statusFailure(at, status, response.header('retry-after'));
      }
      if (!URL.canParse(location, at))
        throw new Refused(`${at} redirects to "${location}", which is no address`);
      at = new URL(location, at).href;
      if (!/^https?:/.test(at)) throw new Refused(`${url} redirects to ${at}`);
    }
    throw new Refused(`${url} redirects more than ${MAX_REDIRECTS} times`);
  }

  async json(url: string): Promise<unknown> {
    const { body } = await this.get(url);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of body) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_JSON_BYTES) throw new Refused(`${url} answers with more than a list of files`);
      }
    } catch (cause) {
      throw this.failure(url, cause);
    }
    try {
      return JSON.parse(Buffer.concat(chunks).toString('utf8'));
    } catch {
      throw new Refused(`${url} does not answer with JSON; a proxy or a login page may stand before it`);
    }
  }

  /** What broke while a body was read, or a request sent. */
  failure(url: string, cause: unknown, signal: AbortSignal = this.#options.signal): Error {
    signal.throwIfAborted();
    if (cause instanceof Refused || cause instanceof Interrupted) return cause;
    const proxy = proxyFor(new URL(url), this.#options.env);
    const through = proxy === undefined ? '' : ` through the proxy ${new URL(proxy).host}`;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const certificate = certificateProblem(code);
    if (certificate !== undefined) return new Refused(`${url}${through}: ${certificate}`);
    return new Interrupted(`${networkProblem(cause)} (${url}${through})`, undefined, cause);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
  }

  async #once(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<WebResponse> {
    const { endpoint, token, stallMs } = this.#options;
    const target = new URL(url);
    const mayKnow = token !== undefined && target.origin === new URL(endpoint).origin;
    const dispatcher = this.#dispatcherFor(target);
    try {
      const {
        statusCode,
        headers: answered,
        body,
      } = await request(target, {
        dispatcher,
        headers: {
          'user-agent': 'cogvlm2',
          'accept-encoding': 'identity',
          ...headers,
          ...(mayKnow && { authorization: `Bearer ${token}` }),
        },
        headersTimeout: stallMs,
        bodyTimeout: stallMs,
        signal,
      });
      const header = (name: string) => {
        const value = answered[name];
        return Array.isArray(value) ? value[0] : value;
      };
      const response = { url, status: statusCode, header, body };
      const encoding = header('content-encoding') ?? 'identity';
      if (encoding === 'identity' || statusCode >= 300) return response;
      discard(response);
      throw new Refused(
        `${url} comes compressed (${encoding}), although it was asked for as it is; a proxy or mirror may do that`,
      );
    } catch (cause) {
      throw this.failure(url, cause, signal);
    }
  }

  #dispatcherFor(url: URL): Dispatcher {
    const proxy = proxyFor(url, this.#options.env);
    let dispatcher = this.#dispatchers.get(proxy ?? '');
    if (dispatcher === undefined) {
      const ca = certificateAuthorities(this.#options.env);
      const tls = ca === undefined ? {} : { ca };
      const connect = { timeout: Math.min(10_000, this.#options.stallMs), ...tls };
      dispatcher =
        proxy === undefined
          ? new Agent({ connect })
          : new ProxyAgent({ uri: proxy, connect, requestTls: tls, proxyTls: tls });
      this.#dispatchers.set(proxy ?? '', dispatcher);
    }
    return dispatcher;
  }
}

/** A body that nobody will read must not hold its connection. */
export function discard({ body }: WebResponse): void {
  body.on('error', () => {});
  body.destroy();
}
