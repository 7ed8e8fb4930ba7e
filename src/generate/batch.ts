import type { PromptRows } from '../model/chunks.ts';
import { mostChunkRows } from '../model/chunks.ts';
import type { Model, PrefillOptions } from '../model/cogvlm2.ts';
import type { ModelConfig } from '../model/config.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { State } from '../model/state.ts';
import type { DecodeStep } from '../model/step-graph.ts';
import type { TowerOptions } from '../model/vision-tower.ts';
import { chunkRows, leadAfter, nextTurn } from './turns.ts';

interface WaitingStep extends DecodeStep {
  signal: AbortSignal | undefined;
  resolve: (logits: Float32Array) => void;
  reject: (reason: unknown) => void;
}

interface WaitingWork {
  servedMs: number;
  signal: AbortSignal | undefined;
  /** Runs the next piece; true when it was the last. */
  next: () => Promise<boolean>;
  /** Ends it between two pieces. */
  leave: (reason: unknown) => Promise<void>;
}

/**
 * The model as several answers use it at once. Each asks for its next token or hands in its prompt or picture, and
 * waits; one decode step serves all that wait for a token, and between steps longer work gets on piece by piece.
 */
export class Batch {
  readonly config: ModelConfig;
  decodeSteps = 0;
  tokens = 0;
  visionBlocks = 0;
  readonly #model: Model;
  #steps: WaitingStep[] = [];
  readonly #works: WaitingWork[] = [];
  #isRunning = false;
  #leadMs = 0;
  #stepMs = 0;
  #rowMs = 0;

  constructor(model: Model) {
    this.#model = model;
    this.config = model.config;
  }

  /** See `Model.step`; whatever else runs, the logits are the same. Rejects with the signal's reason. */
  step(id: number, position: number, cache: KvCache, signal?: AbortSignal): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      this.#steps.push({ id, position, cache, signal, resolve, reject });
      this.#start();
    });
  }

  /** See `Model.prefill`. */
  prefill(prompt: PromptRows, cache: KvCache, options: PrefillOptions): Promise<Float32Array> {
    let [rows, startedAt] = [0, 0];
    const measured = {
      ...options,
      chunkRows: () => {
        [rows, startedAt] = [cache.length, performance.now()];
        const othersWait = this.#steps.length > 0 || this.#works.length > 1;
        return chunkRows(othersWait, this.#stepMs, this.#rowMs, mostChunkRows);
      },
      onTokens: (done: number, total: number) => {
        this.#rowMs = (performance.now() - startedAt) / Math.max(1, done - rows);
        options.onTokens?.(done, total);
      },
    };
    return this.#work(this.#model.prefillInChunks(prompt, cache, measured), options.signal);
  }

  /** See `Model.encodeImage`. */
  encodeImage(pixels: Float32Array, options: TowerOptions): Promise<State<'imageTokens'>> {
    let blocks = 0;
    const counted = {
      ...options,
      onLayer: (done: number, total: number) => {
        // A large tower tells parts of a block, too.
        this.visionBlocks += Math.floor(done) - blocks;
        blocks = Math.floor(done);
        options.onLayer?.(done, total);
      },
    };
    return this.#work(this.#model.encodeInBlocks(pixels, counted), options.signal);
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
      const leave = async (reason: unknown) => {
        await pieces.return(undefined as never);
        reject(reason);
      };
      this.#works.push({ servedMs: 0, signal, next, leave });
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
      // Whoever has just got a token asks for the next one before the turn is given.
      await new Promise(setImmediate);
      await this.#leaveAborted();
      const both = this.#steps.length > 0 && this.#works.length > 0;
      const turn = nextTurn(this.#steps.length, this.#works, this.#leadMs);
      if (turn === null) break;
      const startedAt = performance.now();
      if (turn === 'decode') await this.#decode();
      else await this.#advance(turn);
      const tookMs = performance.now() - startedAt;
      if (turn === 'decode') this.#stepMs = tookMs;
      this.#leadMs = leadAfter(this.#leadMs, turn, tookMs, both);
    }
    this.#isRunning = false;
  }

  async #decode(): Promise<void> {
    const steps = this.#steps;
    this.#steps = [];
    try {
      const logits = await this.#model.decode(steps);
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

  async #leaveAborted(): Promise<void> {
    for (const { signal, reject } of this.#steps) if (signal?.aborted) reject(signal.reason);
    this.#steps = this.#steps.filter(({ signal }) => !signal?.aborted);
    for (const work of this.#works.filter(({ signal }) => signal?.aborted)) {
      this.#works.splice(this.#works.indexOf(work), 1);
      await work.leave(work.signal?.reason);
    }
  }
}
