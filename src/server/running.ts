/** The requests that are being answered: to cancel one by its id, and to see what each is doing. */
import { ApiError } from './api-error.ts';

export interface RunningRequest {
  readonly id: string;
  readonly client: string;
  readonly startedAt: number;
  readonly stop: AbortController;
  state: 'arriving' | 'waiting' | 'running';
  promptTokens: number;
  /** Pieces of text so far, about a token each. */
  pieces: number;
}

export class RunningRequests {
  readonly #requests = new Set<RunningRequest>();

  start(id: string, client: string): RunningRequest {
    const stop = new AbortController();
    const request: RunningRequest = {
      id,
      client,
      stop,
      startedAt: performance.now(),
      state: 'arriving',
      promptTokens: 0,
      pieces: 0,
    };
    this.#requests.add(request);
    return request;
  }

  end(request: RunningRequest): void {
    this.#requests.delete(request);
  }

  /** A client can cancel its own requests only. @throws ApiError request_not_found */
  cancel(id: string, client: string): void {
    const found = [...this.#requests].filter((request) => request.id === id && request.client === client);
    if (found.length === 0) {
      throw new ApiError('request_not_found', 'No request of this client under that id is being answered.');
    }
    for (const { stop } of found) stop.abort(new ApiError('cancelled', 'The request was cancelled.'));
  }

  stopAll(reason: ApiError): void {
    for (const { stop } of this.#requests) stop.abort(reason);
  }

  list() {
    const now = performance.now();
    return [...this.#requests].map(({ id, state, startedAt, promptTokens, pieces }) => ({
      id,
      state,
      age_ms: Math.round(now - startedAt),
      prompt_tokens: promptTokens,
      text_pieces: pieces,
    }));
  }
}
