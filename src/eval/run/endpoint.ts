/** A client for an OpenAI-compatible server: one request for each question, with retries. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import { CogVLM2Error } from '../../errors.ts';
import { proxyFor } from '../../hub/connection.ts';
import { backoffMs, networkProblem, retryAfterMs } from '../../hub/failure.ts';
import { type Failed, type Reply, readReply } from './chat-reply.ts';
import { RequestRate } from './request-rate.ts';

export interface EndpointOptions {
  /** Base URL, such as http://127.0.0.1:8000/v1. */
  readonly url: string;
  readonly model: string;
  readonly key?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Maximum number of requests a minute, retries included. */
  readonly rpm?: number | undefined;
  /** Timeout of one answer. */
  readonly timeoutMs?: number;
  /** Called for a pause of at least `minNoticeMs`, with its reason. */
  readonly onPause?: ((pauseMs: number, what: string) => void) | undefined;
  /** Pause after the n-th failed attempt in a row, unless the server names one. */
  readonly pauseMs?: (attempt: number) => number;
}

export type Content =
  | string
  | readonly ({ type: 'text'; text: string } | { type: 'image_url'; image_url: { url: string } })[];

export interface Sampling {
  readonly maxTokens?: number | null;
  readonly temperature: number;
  readonly topK?: number | null;
  readonly topP?: number | null;
  readonly seed?: number | null;
}

const maxAttempts = 8;
/** Shorter pauses are not worth a message. */
const minNoticeMs = 10_000;
/** A longer pause ends the run, which can be resumed later. */
const maxPauseMs = 600_000;
/** If this number of questions in a row fail after all attempts, the run ends. */
const maxLostInARow = 3;

export class Endpoint implements AsyncDisposable {
  /** Without a user, a password and a query, for files and messages. */
  readonly url: string;
  readonly model: string;
  readonly #requestUrl: string;
  readonly #options: EndpointOptions;
  readonly #dispatcher: Dispatcher;
  readonly #rate: RequestRate;
  /** Number of questions that got an answer or a refusal. */
  #answered = 0;
  #lostInARow = 0;

  /** @throws CogVLM2Error `invalid_value` for a URL that is not valid. */
  constructor(options: EndpointOptions) {
    const address = chatAddress(options.url);
    this.#requestUrl = address.href;
    this.url = `${address.origin}${address.pathname}`;
    this.model = options.model;
    this.#options = options;
    this.#rate = new RequestRate(options.rpm);
    const timeoutMs = options.timeoutMs ?? 600_000;
    const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
    const proxy = proxyFor(address, options.env);
    this.#dispatcher =
      proxy === undefined ? new Agent(timeouts) : new ProxyAgent({ uri: proxy, ...timeouts });
  }

  /**
   * The answer, or a refusal by the server's policy.
   * @throws CogVLM2Error `endpoint_refused` if this question fails, `endpoint_failed` if any question would fail. An abort
   * throws too.
   */
  async chat(content: Content, sampling: Sampling, signal: AbortSignal): Promise<Reply> {
    let answeredBefore = this.#answered;
    for (let attempt = 1; ; attempt++) {
      await this.#rate.turn(signal);
      const outcome = await this.#once(content, sampling, signal);
      if ('text' in outcome) {
        this.#answered += 1;
        this.#lostInARow = 0;
        return outcome;
      }
      // The server is busy, but it answers other questions. So the attempts are counted again from the first.
      if (outcome.isBusy && this.#answered > answeredBefore) {
        answeredBefore = this.#answered;
        attempt = 1;
      }
      if (outcome.action !== 'retry' || attempt >= maxAttempts) {
        throw this.#giveUp(outcome, attempt, typeof content !== 'string');
      }
      const pauseMs = outcome.retryAfterMs ?? (this.#options.pauseMs ?? backoffMs)(attempt);
      if (pauseMs > maxPauseMs) throw this.#tooLong(outcome, pauseMs);
      if (!outcome.isBusy) await sleep(pauseMs, undefined, { signal });
      else if (this.#rate.pause(pauseMs) && pauseMs >= minNoticeMs)
        this.#options.onPause?.(pauseMs, outcome.what);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy();
  }

  #giveUp({ action, what, isServerError }: Attempted, attempts: number, hasImages: boolean): CogVLM2Error {
    if (action === 'question') {
      const remedy = hasImages
        ? ' If its image is too large for the server, use --max-image-bytes or --max-image-side.'
        : '';
      return new CogVLM2Error(
        'endpoint_refused',
        `${this.url} does not take this question: ${what}.${remedy}`,
      );
    }
    if (action === 'retry' && isServerError) {
      this.#lostInARow += 1;
      if (this.#lostInARow < maxLostInARow)
        return new CogVLM2Error(
          'endpoint_refused',
          `${this.url} fails at this question in ${attempts} attempts: ${what}.`,
        );
    }
    const tries = attempts === 1 ? '' : ` after ${attempts} attempts`;
    return new CogVLM2Error('endpoint_failed', `${this.url} does not answer${tries}: ${what}.`);
  }

  #tooLong({ what }: Attempted, pauseMs: number): CogVLM2Error {
    const minutes = Math.ceil(pauseMs / 60_000);
    return new CogVLM2Error(
      'endpoint_failed',
      `${this.url} asks to wait ${minutes} minutes: ${what}. The limit is ${maxPauseMs / 60_000} minutes. Run the same command again later.`,
    );
  }

  async #once(content: Content, sampling: Sampling, signal: AbortSignal): Promise<Reply | Attempted> {
    const { key, model } = this.#options;
    try {
      const { statusCode, headers, body } = await request(this.#requestUrl, {
        method: 'POST',
        dispatcher: this.#dispatcher,
        signal,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'cogvlm2',
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({ model, messages: [{ role: 'user', content }], ...parametersOf(sampling) }),
      });
      const text = await body.text();
      const reply = readReply(statusCode, statusCode === 200 ? text : withoutKey(text, key));
      if ('text' in reply) return reply;
      return { ...reply, isServerError: statusCode === 500, retryAfterMs: retryAfterMs(headers) };
    } catch (cause) {
      signal.throwIfAborted();
      return { action: 'retry', what: networkProblem(cause), isBusy: false, isServerError: false };
    }
  }
}

interface Attempted extends Failed {
  /** Status 500: the server may fail at this question only. */
  readonly isServerError: boolean;
  readonly retryAfterMs?: number | undefined;
}

/** Some servers quote the key in their errors, which are kept in the predictions file. Short keys are placeholders. */
function withoutKey(body: string, key: string | undefined): string {
  return key !== undefined && key.length >= 8 ? body.replaceAll(key, '***') : body;
}

function parametersOf({ maxTokens, temperature, topK, topP, seed }: Sampling): Record<string, number> {
  return {
    temperature,
    ...(maxTokens != null && { max_tokens: maxTokens }),
    ...(topK != null && { top_k: topK }),
    ...(topP != null && { top_p: topP }),
    ...(seed != null && { seed }),
  };
}

function chatAddress(url: string): URL {
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new CogVLM2Error(
      'invalid_value',
      `${JSON.stringify(url)} is not the URL of a server, such as http://127.0.0.1:8000/v1.`,
    );
  }
  const address = new URL(url);
  if (address.username !== '' || address.password !== '') {
    throw new CogVLM2Error(
      'invalid_value',
      `The URL of ${address.host} has a user or a password. Give the key in the environment or in a file instead.`,
    );
  }
  if (!address.pathname.endsWith('/chat/completions')) {
    address.pathname = `${address.pathname.replace(/\/$/, '')}/chat/completions`;
  }
  return address;
}
