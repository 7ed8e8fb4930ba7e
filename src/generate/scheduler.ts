/**
 * The scheduler of a model. It decides which sequence gets KV memory next, and what the device runs next: a decode
 * step for all sequences that wait for a token, or a piece of one prompt or one image. The decisions are the pure functions
 * of policies.ts. docs/architecture.md has the states of a sequence.
 */
import { CogVLM2Error } from '../errors.ts';
import type { TensorSet } from '../ggml/engine.ts';
import { mostChunkRows } from '../model/chunks.ts';
import type { Model } from '../model/cogvlm2.ts';
import type { KeyRange, QueryTap } from '../model/taps.ts';
import type { TowerOptions } from '../model/vision-tower.ts';
import { visionExpertRows } from '../text/prompt.ts';
import { commonPrefix, KvPool, rowsOf } from './kv-pool.ts';
import {
  chunkRows,
  isWorthWaiting,
  leadAfter,
  nextQueued,
  nextWork,
  type SchedulerLimits,
} from './policies.ts';
import {
  type PrefillRequest,
  type Queued,
  Sequence,
  type SequenceRequest,
  type SequenceState,
  type Step,
  type Work,
} from './sequence.ts';

/** The operations of the model that the scheduler runs. */
export type ScheduledModel = Pick<
  Model,
  'decode' | 'prefillInChunks' | 'encodeInBlocks' | 'newCache' | 'readKeys'
>;

export class Scheduler {
  readonly limits: SchedulerLimits;
  /** Counters since the start. */
  decodeSteps = 0;
  tokens = 0;
  visionBlocks = 0;
  readonly #model: ScheduledModel;
  readonly #kv: KvPool;
  readonly #queue: Queued[] = [];
  readonly #running = new Set<Sequence>();
  /** The number of the last admission of each client that has a sequence. */
  readonly #lastAdmissions = new Map<string, number>();
  #sequences = 0;
  #admissions = 0;
  #steps: Step[] = [];
  readonly #works: Work[] = [];
  #isRunning = false;
  #leadMs = 0;
  #stepMs = 0;
  #rowMs = 0;

  constructor(model: ScheduledModel, limits: SchedulerLimits) {
    this.#model = model;
    this.limits = limits;
    this.#kv = new KvPool(limits, (capacity) => model.newCache(capacity));
  }

  /** Number of sequences in each state. */
  get states(): Record<Exclude<SequenceState, 'finished'>, number> {
    const states = { queued: this.#queue.length, encoding: 0, prefilling: 0, decoding: 0 };
    for (const { state } of this.#running) if (state !== 'queued' && state !== 'finished') states[state]++;
    return states;
  }

  get kvTokens(): { inUse: number; allocated: number } {
    return this.#kv.tokens;
  }

  /**
   * Queues a sequence. Resolves when it has KV memory, including rows of its prompt from other caches.
   * @throws CogVLM2Error `queue_full`, `aborted`, `out_of_memory`.
   */
  async submit(request: SequenceRequest): Promise<Sequence> {
    const { signal } = request;
    const sequence = await new Promise<Sequence>((admit, reject) => {
      const sequence = new Sequence(this, request, ++this.#sequences);
      const queued = { sequence, admit, reject };
      const leave = () => {
        if (!this.#dequeue(queued)) return;
        const { reason: cause } = signal;
        reject(new CogVLM2Error('aborted', 'Stopped while it was queued.', { cause }));
      };
      request.onState?.('queued');
      this.#queue.push(queued);
      this.#admit();
      if (this.#queue.includes(queued) && this.#queue.length > this.limits.queued) {
        this.#dequeue(queued);
        reject(this.#queueFull());
      }
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });
    });
    try {
      await this.#sharePrefix(sequence);
      if (sequence.holdsImage) sequence.enter('prefilling');
      return sequence;
    } catch (error) {
      this.finish(sequence);
      throw error;
    }
  }

  /** See `Sequence.prefill`. */
  async prefill(sequence: Sequence, { image, onTokens, queryTap }: PrefillRequest): Promise<Float32Array> {
    const { prompt, adapter, signal } = sequence.request;
    const { cache } = sequence;
    sequence.enter('prefilling');
    const start = sequence.cachedTokens;
    // The record must describe the content of the cache also if the prefill ends early.
    cache.rows = rowsOf(sequence.request, start);
    let [rows, startedAt] = [0, 0];
    const rowsOfPrompt = { ...prompt, visionRows: visionExpertRows(prompt.tokenTypes) };
    const chunks = this.#model.prefillInChunks(rowsOfPrompt, cache.cache, {
      image,
      adapter,
      start,
      signal,
      queryTap,
      chunkRows: () => {
        [rows, startedAt] = [cache.cache.length, performance.now()];
        const othersWait = this.#steps.length > 0 || this.#works.length > 1;
        return chunkRows(othersWait, this.#stepMs, this.#rowMs, mostChunkRows);
      },
      onTokens: (done, total) => {
        this.#rowMs = (performance.now() - startedAt) / Math.max(1, done - rows);
        cache.rows = rowsOf(sequence.request, done);
        onTokens(done, total);
      },
    });
    const logits = await this.#work(chunks, signal);
    sequence.enter('decoding');
    return logits;
  }

  /** See `Sequence.step`. The logits do not depend on other sequences. */
  async step(sequence: Sequence, id: number, position: number, tap?: QueryTap): Promise<Float32Array> {
    const logits = await new Promise<Float32Array>((resolve, reject) => {
      this.#steps.push({ sequence, id, position, tap, resolve, reject });
      this.#start();
    });
    sequence.cache.rows.ids.push(id);
    return logits;
  }

  /** See `Sequence.readKeys`. */
  readKeys(sequence: Sequence, range: KeyRange): Promise<Float32Array> {
    return this.#model.readKeys(sequence.cache.cache, range);
  }

  /** Runs one image through the vision tower, block by block. */
  encodeImage(pixels: Float32Array, options: TowerOptions): Promise<TensorSet<'imageTokens'>> {
    let blocks = 0;
    const counted = {
      ...options,
      onLayer: (done: number, total: number) => {
        // A large tower reports parts of a block, too.
        this.visionBlocks += Math.floor(done) - blocks;
        blocks = Math.floor(done);
        options.onLayer?.(done, total);
      },
    };
    return this.#work(this.#model.encodeInBlocks(pixels, counted), options.signal);
  }

  /** Ends a sequence in any state. Its KV cache remains as a prefix cache. */
  finish(sequence: Sequence): void {
    if (!this.#running.delete(sequence)) return;
    this.#kv.release(sequence.cache);
    sequence.enter('finished');
    this.#forgetClient(sequence.request.client);
    this.#admit();
  }

  /** Ends all sequences in the queue. */
  rejectQueued(reason: unknown): void {
    for (const { reject } of this.#queue.splice(0)) reject(reason);
  }

  #admit(): void {
    for (;;) {
      const running = (client: string) =>
        [...this.#running].filter((sequence) => sequence.request.client === client).length;
      const loads = this.#queue.map(({ sequence: { request } }) => ({
        running: running(request.client),
        lastAdmission: this.#lastAdmissions.get(request.client) ?? 0,
      }));
      const next = this.#queue[nextQueued(loads)];
      if (!next) return;
      const { sequence } = next;
      try {
        // The next sequence waits for memory. Smaller sequences do not pass it.
        const cache = this.#kv.acquire(sequence.request, sequence.request.tokens);
        if (!cache) return;
        this.#queue.splice(this.#queue.indexOf(next), 1);
        this.#running.add(sequence);
        this.#lastAdmissions.set(sequence.request.client, ++this.#admissions);
        sequence.admit(cache);
        next.admit(sequence);
      } catch (error) {
        this.#dequeue(next);
        next.reject(error);
      }
    }
  }

  #dequeue(queued: Queued): boolean {
    const index = this.#queue.indexOf(queued);
    if (index < 0) return false;
    this.#queue.splice(index, 1);
    this.#forgetClient(queued.sequence.request.client);
    return true;
  }

  #forgetClient(client: string): void {
    const isHere = [...this.#queue.map(({ sequence }) => sequence), ...this.#running].some(
      ({ request }) => request.client === client,
    );
    if (!isHere) this.#lastAdmissions.delete(client);
  }

  #queueFull(): CogVLM2Error {
    return new CogVLM2Error(
      'queue_full',
      `${this.#running.size} questions are being answered and ${this.limits.queued} are queued, which is the limit. Ask again later.`,
    );
  }

  /**
   * Copies the longest prefix of the prompt from any cache. If an earlier sequence will run most of the missing rows, it waits for the
   * prefill of that sequence first.
   */
  async #sharePrefix(sequence: Sequence): Promise<void> {
    const { prompt, signal } = sequence.request;
    while (!signal.aborted) {
      const own = sequence.cachedTokens;
      const best = this.#kv.longestPrefix(sequence.request);
      const have = Math.max(own, best.length);
      const coming = [...this.#running].find((other) => {
        if (other.order >= sequence.order || !other.isBeforeDecoding) return false;
        const rows = rowsOf(other.request, other.request.prompt.ids.length);
        return isWorthWaiting(prompt.ids.length, have, commonPrefix(rows, sequence.request));
      });
      if (coming) {
        await Promise.race([coming.prefilled(), aborted(signal)]);
        continue;
      }
      if (best.cache && best.length > own)
        await this.#kv.copyPrefix(best.cache, sequence.cache, sequence.request, best.length);
      return;
    }
  }

  #work<T>(pieces: AsyncGenerator<void, T>, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const next = async () => {
        try {
          const { done, value } = await pieces.next();
          if (done) resolve(value);
          return done ?? false;
        } catch (error) {
          reject(error);
          return true;
        }
      };
      const stop = async (reason: unknown) => {
        await pieces.return(undefined as never);
        reject(reason);
      };
      this.#works.push({ servedMs: 0, signal, next, stop });
      this.#start();
    });
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    for (;;) {
      // A sequence that got a token requests the next one before the next decision.
      await new Promise(setImmediate);
      await this.#dropAborted();
      const both = this.#steps.length > 0 && this.#works.length > 0;
      const next = nextWork(this.#steps.length, this.#works, this.#leadMs);
      if (next === null) break;
      const startedAt = performance.now();
      if (next === 'decode') await this.#decode();
      else await this.#advance(next);
      const tookMs = performance.now() - startedAt;
      if (next === 'decode') this.#stepMs = tookMs;
      this.#leadMs = leadAfter(this.#leadMs, next, tookMs, both);
    }
    this.#isRunning = false;
  }

  async #decode(): Promise<void> {
    const steps = this.#steps;
    this.#steps = [];
    try {
      const logits = await this.#model.decode(
        steps.map(({ sequence, id, position, tap }) => {
          const { cache, request } = sequence;
          return { id, position, cache: cache.cache, adapter: request.adapter, tap };
        }),
      );
      this.decodeSteps++;
      this.tokens += steps.length;
      for (const [i, { resolve }] of steps.entries()) resolve(logits[i] ?? new Float32Array(0));
    } catch (error) {
      for (const { reject } of steps) reject(error);
    }
  }

  async #advance(index: number): Promise<void> {
    const work = this.#works[index];
    if (!work) return;
    const startedAt = performance.now();
    const isDone = await work.next();
    work.servedMs += performance.now() - startedAt;
    if (isDone) this.#works.splice(this.#works.indexOf(work), 1);
  }

  async #dropAborted(): Promise<void> {
    const isAborted = ({ sequence }: Step) => sequence.request.signal.aborted;
    for (const step of this.#steps.filter(isAborted)) step.reject(step.sequence.request.signal.reason);
    this.#steps = this.#steps.filter((step) => !isAborted(step));
    for (const work of this.#works.filter(({ signal }) => signal?.aborted)) {
      this.#works.splice(this.#works.indexOf(work), 1);
      await work.stop(work.signal?.reason);
    }
  }
}

/** Resolves when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
