/** The requests that the server has: to cancel one by its id, and to report what the engine does for each. */
import type { SequenceState } from '../index.ts';
import { ApiError } from './api-error.ts';

export interface ActiveRequest {
  readonly id: string;
  readonly client: string;
  readonly startedAt: number;
  readonly stop: AbortController;
  /** Of each answer, as the engine's scheduler reports it. Empty while the body arrives. */
  readonly states: SequenceState[];
  promptTokens: number;
  /** Called at each event of the answer: the time limit begins again. */
  onProgress: () => void;
  /** Pieces of text so far, about a token each. */
  pieces: number;
}

/** From the first to the last that the scheduler enters. */
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

  /** Answers that have KV memory in the engine. */
  get running(): number {
    return this.#count(({ states }) => states.filter((state) => !isIdle(state)).length);
  }

  /** Answers that the engine has queued, and requests whose body still arrives. */
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

/** Of several answers, the state of the one that is the furthest and not finished. */
function stateOf(states: readonly SequenceState[]): SequenceState | 'arriving' {
  if (states.length === 0) return 'arriving';
  const unfinished = states.filter((state) => state !== 'finished');
  const furthest = Math.max(...unfinished.map((state) => STATES.indexOf(state)));
  return STATES[furthest] ?? 'finished';
}
