/**
 * HTTP requests to a source. This class follows redirects itself and keeps their queries unchanged, because these contain
 * signatures. The token is sent to the source only, and to no other host.
 */

import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import { certificateAuthorities, certificateProblem, proxyFor } from './connection.ts';
import {
  firstHeader,
  type HttpHeaders,
  networkProblem,
  PermanentError,
  statusFailure,
  TransientError,
} from './failure.ts';

export interface WebOptions {
  /** The only host that receives the token. */
  endpoint: string;
  token?: string | undefined;
  env: NodeJS.ProcessEnv;
  /** A connection without data for this long is closed. */
  stallMs: number;
  signal: AbortSignal;
}

export interface WebResponse {
  /** The URL after redirects. */
  url: string;
  status: number;
  headers: HttpHeaders;
  body: Dispatcher.ResponseData['body'];
}

const MAX_REDIRECTS = 10;
const MAX_JSON_BYTES = 64 * 2 ** 20;

export class Web implements AsyncDisposable {
  readonly #options: WebOptions;
  readonly #dispatchers = new Map<string, Dispatcher>();
  /** The URLs after redirects, so that not every part of a file is redirected again. */
  readonly #redirects = new Map<string, string>();

  constructor(options: WebOptions) {
    this.#options = options;
  }

  /** @throws TransientError, PermanentError; an abort throws the signal's reason */
  async get(
    url: string,
    headers: Record<string, string> = {},
    signal: AbortSignal = this.#options.signal,
  ): Promise<WebResponse> {
    const known = this.#redirects.get(url);
    if (known !== undefined) {
      try {
        return await this.#follow(known, headers, signal);
      } catch (cause) {
        if (!(cause instanceof PermanentError || cause instanceof TransientError)) throw cause;
        this.#redirects.delete(url); // Signed URLs expire, after about an hour.
      }
    }
    const response = await this.#follow(url, headers, signal);
    if (response.url !== url) this.#redirects.set(url, response.url);
    return response;
  }

  async #follow(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<WebResponse> {
    let at = url;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await this.#once(at, headers, signal);
      const { status, headers: answered } = response;
      const location = firstHeader(answered, 'location');
      if (status < 300) return response;
      discard(response);
      if (status >= 400 || location === undefined) {
        throw statusFailure(at, status, answered);
      }
      if (!URL.canParse(location, at))
        throw new PermanentError(`${at} redirects to "${location}", which is no address`);
      at = new URL(location, at).href;
      if (!/^https?:/.test(at)) throw new PermanentError(`${url} redirects to ${at}`);
    }
    throw new PermanentError(`${url} redirects more than ${MAX_REDIRECTS} times`);
  }

  async json(url: string): Promise<unknown> {
    const { body } = await this.get(url);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of body) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_JSON_BYTES)
          throw new PermanentError(`${url} answers with more than ${MAX_JSON_BYTES} bytes`);
      }
    } catch (cause) {
      throw this.failure(url, cause);
    }
    try {
      return JSON.parse(Buffer.concat(chunks).toString('utf8'));
    } catch {
      throw new PermanentError(
        `${url} does not answer with JSON; a proxy or a login page may intercept the request`,
      );
    }
  }

  /** The error of a failed request or a failed read of a body. */
  failure(url: string, cause: unknown, signal: AbortSignal = this.#options.signal): Error {
    signal.throwIfAborted();
    if (cause instanceof PermanentError || cause instanceof TransientError) return cause;
    const proxy = proxyFor(new URL(url), this.#options.env);
    const through = proxy === undefined ? '' : ` through the proxy ${new URL(proxy).host}`;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const certificate = certificateProblem(code);
    if (certificate !== undefined) return new PermanentError(`${url}${through}: ${certificate}`);
    return new TransientError(`${networkProblem(cause)} (${url}${through})`, undefined, cause);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
  }

  async #once(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<WebResponse> {
    const { endpoint, token, stallMs } = this.#options;
    const target = new URL(url);
    const sendsToken = token !== undefined && target.origin === new URL(endpoint).origin;
    const dispatcher = this.#dispatcherFor(target);
    try {
      const answer = await request(target, {
        dispatcher,
        headers: {
          'user-agent': 'cogvlm2',
          'accept-encoding': 'identity',
          ...headers,
          ...(sendsToken && { authorization: `Bearer ${token}` }),
        },
        headersTimeout: stallMs,
        bodyTimeout: stallMs,
        signal,
      });
      const { statusCode: status, headers: answered, body } = answer;
      const response = { url, status, headers: answered, body };
      const encoding = firstHeader(answered, 'content-encoding') ?? 'identity';
      if (encoding === 'identity' || status >= 300) return response;
      discard(response);
      throw new PermanentError(
        `${url} answers with compressed data (${encoding}) although identity was requested; a proxy or mirror may do that`,
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

/** Releases the connection of a body that is not read. */
export function discard({ body }: WebResponse): void {
  body.on('error', () => {});
  body.destroy();
}
