/** The active requests of the server. A request can be cancelled by its id, and each has the states of its answers in the engine. */
import type { SequenceState } from '../index.ts';
import { ApiError } from './api-error.ts';

export interface ActiveRequest {
  readonly id: string;
  readonly client: string;
  readonly startedAt: number;
  readonly stop: AbortController;
  /** The states of its answers in the engine's scheduler. Empty while the body arrives. */
  readonly states: SequenceState[];
  promptTokens: number;
  /** Called at each event of the answer. It restarts the time limit. */
  onProgress: () => void;
  /** Number of pieces of text so far; a piece is about one token. */
  pieces: number;
}

/** The states of a sequence in order. */
const STATES = ['queued', 'encoding', 'prefilling', 'decoding', 'finished'] as const;

export class ActiveRequests {
  readonly #requests = new Set<ActiveRequest>();

  start(id: string, client: string): ActiveRequest {
    const request: ActiveRequest = {
      id,
      client,
      stop: new AbortController(),
      startedAt: performance.now(),
      states: [],
      promptTokens: 0,
      onProgress: () => {},
      pieces: 0,
    };
    this.#requests.add(request);
    return request;
  }

  end(request: ActiveRequest): void {
    this.#requests.delete(request);
  }

  /** Number of answers that have KV memory in the engine. */
  get running(): number {
    return this.#count(({ states }) => states.filter((state) => !isIdle(state)).length);
  }

  /** Number of answers in the engine's queue, and of requests whose body is arriving. */
  get waiting(): number {
    return this.#count(({ states }) =>
      states.length === 0 ? 1 : states.filter((state) => state === 'queued').length,
    );
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
    return [...this.#requests].map(({ id, states, startedAt, promptTokens, pieces }) => ({
      id,
      state: stateOf(states),
      age_ms: Math.round(now - startedAt),
      prompt_tokens: promptTokens,
      text_pieces: pieces,
    }));
  }

  #count(of: (request: ActiveRequest) => number): number {
    return [...this.#requests].reduce((sum, request) => sum + of(request), 0);
  }
}

function isIdle(state: SequenceState): boolean {
  return state === 'queued' || state === 'finished';
}

/** The most advanced state of the answers that are not finished. */
function stateOf(states: readonly SequenceState[]): SequenceState | 'arriving' {
  if (states.length === 0) return 'arriving';
  const unfinished = states.filter((state) => state !== 'finished');
  const furthest = Math.max(...unfinished.map((state) => STATES.indexOf(state)));
  return STATES[furthest] ?? 'finished';
}
