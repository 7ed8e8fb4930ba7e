import { CogVLM2Error } from '../errors.ts';
import type { TensorSet } from '../ggml/engine.ts';
import type { KeyRange, QueryTap } from '../model/taps.ts';
import { type CachePrompt, commonPrefix, type SequenceCache } from './kv-pool.ts';

/**
 * - `queued`: it waits for KV memory and the turn of its client.
 * - `encoding`: it has KV memory; its image is being encoded, or waits for the tower.
 * - `prefilling`: its prompt runs, or waits for a sequence that runs the same rows.
 * - `decoding`: its tokens are decoded.
 * - `finished`: its KV memory was released.
 */
export type SequenceState = 'queued' | 'encoding' | 'prefilling' | 'decoding' | 'finished';

export interface SequenceRequest extends CachePrompt {
  client: string;
  /** Tokens of prompt and answer together. */
  tokens: number;
  signal: AbortSignal;
  onState?: ((state: SequenceState) => void) | undefined;
}

export interface PrefillRequest {
  /** The image tokens, unless the cache already has the image. */
  image: TensorSet<'imageTokens'> | null;
  onTokens: (done: number, total: number) => void;
  /** Taps of the last row. */
  queryTap?: QueryTap | undefined;
}

/** The methods of the scheduler that a sequence calls. */
export interface SequenceScheduler {
  prefill(sequence: Sequence, request: PrefillRequest): Promise<Float32Array>;
  step(sequence: Sequence, id: number, position: number, tap?: QueryTap): Promise<Float32Array>;
  readKeys(sequence: Sequence, range: KeyRange): Promise<Float32Array>;
  finish(sequence: Sequence): void;
}

/** One answer in the scheduler. Its owner disposes it at the end. */
export class Sequence {
  readonly request: SequenceRequest;
  /** Later sequences have larger numbers. */
  readonly order: number;
  readonly queuedAt = performance.now();
  /** Time in the queue. */
  queueMs = 0;
  readonly #scheduler: SequenceScheduler;
  readonly #onPrefilled: (() => void)[] = [];
  #state: SequenceState = 'queued';
  #cache: SequenceCache | null = null;

  constructor(scheduler: SequenceScheduler, request: SequenceRequest, order: number) {
    this.#scheduler = scheduler;
    this.request = request;
    this.order = order;
  }

  get state(): SequenceState {
    return this.#state;
  }

  /** @throws CogVLM2Error `engine_bug` before it is admitted. */
  get cache(): SequenceCache {
    if (!this.#cache)
      throw new CogVLM2Error('engine_bug', 'A sequence has no KV memory before it is admitted.');
    return this.#cache;
  }

  /** Number of rows of the prompt in the cache. */
  get cachedTokens(): number {
    return commonPrefix(this.cache.rows, this.request);
  }

  /** Whether the cache has the rows of the prompt's image, so that the image need not be encoded. */
  get holdsImage(): boolean {
    const { image } = this.request.prompt;
    return image !== null && this.cachedTokens >= image.end;
  }

  /** Whether rows of its prompt remain to run. */
  get isBeforeDecoding(): boolean {
    return this.#state === 'encoding' || this.#state === 'prefilling';
  }

  /** Called by the scheduler to give it KV memory. */
  admit(cache: SequenceCache): void {
    this.#cache = cache;
    this.queueMs = performance.now() - this.queuedAt;
    this.enter(this.request.prompt.image !== null && !this.holdsImage ? 'encoding' : 'prefilling');
  }

  enter(state: SequenceState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.request.onState?.(state);
    if (!this.isBeforeDecoding) for (const wake of this.#onPrefilled.splice(0)) wake();
  }

  /** Resolves when its prompt is in its cache, or when its prefill ended early. */
  prefilled(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isBeforeDecoding) this.#onPrefilled.push(resolve);
      else resolve();
    });
  }

  /** Runs the rows of the prompt that are not in the cache. @returns the logits of its last row. @throws the signal's reason */
  prefill(request: PrefillRequest): Promise<Float32Array> {
    return this.#scheduler.prefill(this, request);
  }

  /** Runs one token at the end of the cache. @returns its logits. @throws the signal's reason */
  step(id: number, position: number, tap?: QueryTap): Promise<Float32Array> {
    return this.#scheduler.step(this, id, position, tap);
  }

  /** Keys in its cache: f32 [end - start, headSize]. */
  readKeys(range: KeyRange): Promise<Float32Array> {
    return this.#scheduler.readKeys(this, range);
  }

  [Symbol.dispose](): void {
    this.#scheduler.finish(this);
  }
}

/** A sequence that waits for KV memory. */
export interface Queued {
  sequence: Sequence;
  admit: (sequence: Sequence) => void;
  reject: (reason: unknown) => void;
}

/** A sequence that waits for its next token. */
export interface Step {
  sequence: Sequence;
  id: number;
  position: number;
  tap: QueryTap | undefined;
  resolve: (logits: Float32Array) => void;
  reject: (reason: unknown) => void;
}

/** Long work: a prompt or an image, in pieces. */
export interface Work {
  servedMs: number;
  signal: AbortSignal | undefined;
  /** Runs the next piece. @returns true if it was the last one */
  next: () => Promise<boolean>;
  /** Ends the work between two pieces. */
  stop: (reason: unknown) => Promise<void>;
}
