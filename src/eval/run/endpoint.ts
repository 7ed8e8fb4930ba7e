/** A client for an OpenAI-compatible server: one request for each question, with retries. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { proxyFor } from '../../hub/connection.ts';
import { networkProblem, patience } from '../../hub/failure.ts';

export interface EndpointOptions {
  /** Base URL, such as http://127.0.0.1:8000/v1. */
  readonly url: string;
  readonly model: string;
  readonly key?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Timeout of one answer. */
  readonly timeoutMs?: number;
  /** Pause after the n-th failed attempt in a row. */
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

export interface Reply {
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly completionTokens: number | null;
}

const replySchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ completion_tokens: z.number().nullish() }).nullish(),
});

const maxAttempts = 8;

export class Endpoint implements AsyncDisposable {
  readonly url: string;
  readonly model: string;
  readonly #options: EndpointOptions;
  readonly #dispatcher: Dispatcher;

  /** @throws CogVLM2Error `invalid_value` for a URL that is not valid. */
  constructor(options: EndpointOptions) {
    this.url = chatAddress(options.url);
    this.model = options.model;
    this.#options = options;
    const timeoutMs = options.timeoutMs ?? 600_000;
    const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
    const proxy = proxyFor(new URL(this.url), options.env);
    this.#dispatcher =
      proxy === undefined ? new Agent(timeouts) : new ProxyAgent({ uri: proxy, ...timeouts });
  }

  /**
   * @throws CogVLM2Error `endpoint_refused` if the server refuses this question, `endpoint_failed` if it would not answer
   * any question. An abort throws the signal's reason.
   */
  async chat(content: Content, sampling: Sampling, signal: AbortSignal): Promise<Reply> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#once(content, sampling, signal);
      if ('text' in outcome) return outcome;
      const { kind, what } = outcome;
      if (kind === 'question')
        throw new CogVLM2Error('endpoint_refused', `${this.url} refuses this question: ${what}.`);
      if (kind === 'run' || attempt === maxAttempts) {
        const tries = attempt === 1 ? '' : ` after ${attempt} attempts`;
        throw new CogVLM2Error('endpoint_failed', `${this.url} does not answer${tries}: ${what}.`);
      }
      await sleep(outcome.retryAfterMs ?? (this.#options.pauseMs ?? patience)(attempt), undefined, {
        signal,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #once(content: Content, sampling: Sampling, signal: AbortSignal): Promise<Reply | Failed> {
    const { key, model } = this.#options;
    try {
      const { statusCode, headers, body } = await request(this.url, {
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
      if (statusCode === 200) return readReply(text);
      return { ...failureOf(statusCode, text), ...retryAfter(headers['retry-after']) };
    } catch (cause) {
      signal.throwIfAborted();
      return { kind: 'retry', what: networkProblem(cause) };
    }
  }
}

/** A failed attempt, and what to do: retry, give up this question, or end the run. */
interface Failed {
  readonly kind: 'retry' | 'question' | 'run';
  readonly what: string;
  readonly retryAfterMs?: number;
}

export function failureOf(status: number, body: string): Failed {
  const what = `status ${status}${body === '' ? '' : `, ${JSON.stringify(body.slice(0, 300))}`}`;
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500)
    return { kind: 'retry', what };
  return { kind: [400, 413, 415, 422].includes(status) ? 'question' : 'run', what };
}

function retryAfter(header: string | string[] | undefined): { retryAfterMs?: number } {
  const seconds = Number(header);
  return header !== undefined && seconds >= 0 ? { retryAfterMs: Math.min(seconds, 600) * 1000 } : {};
}

function readReply(text: string): Reply | Failed {
  const found = replySchema.safeParse(parsed(text));
  if (!found.success)
    return { kind: 'run', what: `${JSON.stringify(text.slice(0, 300))} is not a chat completion` };
  const { choices, usage } = found.data;
  const { message, finish_reason: reason } = choices[0]!;
  return {
    text: message.content ?? '',
    finishReason: reason === 'length' ? 'length' : 'stop',
    completionTokens: usage?.completion_tokens ?? null,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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

function chatAddress(url: string): string {
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new CogVLM2Error(
      'invalid_value',
      `${JSON.stringify(url)} is not the URL of a server, such as http://127.0.0.1:8000/v1.`,
    );
  }
  const address = new URL(url);
  if (!address.pathname.endsWith('/chat/completions')) {
    address.pathname = `${address.pathname.replace(/\/$/, '')}/chat/completions`;
  }
  return address.href;
}
