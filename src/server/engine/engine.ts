/** The interface of the server to the engine. It starts the engine's process, watches it, and restarts it when it ends. */

import { CogVLM2Error } from '../../errors.ts';
import { AnswerStream } from '../../generate/answer-stream.ts';
import type { ModelInfo, Progress, SequenceState } from '../../index.ts';
import { Slots } from '../../run/slots.ts';
import { ApiError } from '../api-error.ts';
import { EngineLink, errorOf } from './link.ts';
import type { EngineProcess } from './process.ts';
import type { AskRequest, EngineCalls, EngineLoadOptions, EngineStats } from './protocol.ts';

export interface EngineWatcher {
  onLoading?(progress: Progress): void;
  /** Called when the process ended unexpectedly. It is restarted after `pauseMs`. */
  onCrash?(why: string, pauseMs: number): void;
  /** Called when the model is loaded again after a crash. */
  onRestart?(): void;
}

/** An engine that was ready for this time is stable: its crash counts as the first one again. */
const STABLE_MS = 60_000;

/** Maximum time that a request without text waits for the restart of the engine. */
const RESTART_GRACE_MS = 5_000;

/**
 * How often a request is sent again after crashes. If it was waiting in the engine's queue, another request was the cause. In any
 * other state, also before the engine reported one, it is a suspect.
 */
export const MAX_RESENDS = { waiting: 5, suspect: 1 } as const;

/** What is known of a request. The client has text of an `answered` request, so it cannot be sent again. */
type Stage = keyof typeof MAX_RESENDS | 'answered';

export class Engine {
  readonly #startProcess: () => EngineProcess;
  readonly #options: EngineLoadOptions;
  readonly #watcher: EngineWatcher;
  #process: EngineProcess | undefined;
  #link: EngineLink | undefined;
  #info: ModelInfo | undefined;
  #loaded = 0;
  #restarts = 0;
  /** Callbacks of requests that wait for a restarted engine; they get null if it will not restart. */
  readonly #waiting = new Set<(link: EngineLink | null) => void>();
  /** Suspects are sent again one at a time. So the one that ends the engine again does not use up the resends of others. */
  readonly #suspects = new Slots(1);
  #crashesInARow = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(startProcess: () => EngineProcess, options: EngineLoadOptions, watcher: EngineWatcher = {}) {
    this.#startProcess = startProcess;
    this.#options = options;
    this.#watcher = watcher;
  }

  /** Loads the model for the first time. @throws CogVLM2Error those of `CogVLM2.load` */
  async start(): Promise<ModelInfo> {
    return this.#load();
  }

  get isReady(): boolean {
    return this.#link !== undefined;
  }

  /** Loaded share of the model, 0 to 1. */
  get loaded(): number {
    return this.#loaded;
  }

  /** Number of unexpected ends of the process. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The model, as in `info`; null until it was loaded. */
  get model(): ModelInfo | null {
    return this.#info ?? null;
  }

  /** Information about the model. It is known after the first load. @throws ApiError model_loading */
  get info(): ModelInfo {
    if (this.#info === undefined) throw this.#notReady();
    return this.#info;
  }

  /**
   * Makes one answer. If the engine restarts within `RESTART_GRACE_MS`, an answer without text continues: the request is sent again, at
   * most `MAX_RESENDS` times.
   * @param onState called with each state of the answer in the engine's scheduler
   * @throws ApiError model_loading; through the stream engine_stopped, and CogVLM2Error those of `ask`
   */
  ask(request: AskRequest, signal: AbortSignal, onState: (state: SequenceState) => void): AnswerStream {
    this.#checkLoaded();
    return new AnswerStream((emit, left) => {
      const stop = AbortSignal.any([signal, left]);
      return this.#sendAgain(
        (link, onStage) =>
          link.ask(request, stop, {
            onState: (state) => {
              onStage(state === 'queued' ? 'waiting' : 'suspect');
              onState(state);
            },
            onEvent: (event) => {
              if (event.type === 'text') onStage('answered');
              emit(event);
            },
          }),
        stop,
        () => onState('queued'),
      );
    });
  }

  /** @throws ApiError model_loading, engine_stopped, and CogVLM2Error the errors of the call */
  async call<K extends keyof EngineCalls>(
    name: K,
    ...args: Parameters<EngineCalls[K]>
  ): Promise<ReturnType<EngineCalls[K]>> {
    this.#checkLoaded();
    return this.#sendAgain((link) => link.call(name, ...args));
  }

  /** The statistics of the engine; null while there is no engine. */
  async stats(): Promise<EngineStats | null> {
    return (await this.#link?.call('stats').catch(() => null)) ?? null;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#restartTimer);
    for (const onLink of [...this.#waiting]) onLink(null);
    this.#process?.kill();
  }

  /**
   * Sends a request, and again if the engine ends.
   * @param send calls `onStage` when the stage changes; it is 'suspect' at first
   * @param onResend called before the request is sent again
   */
  async #sendAgain<T>(
    send: (link: EngineLink, onStage: (stage: Stage) => void) => Promise<T>,
    signal?: AbortSignal,
    onResend = () => {},
  ): Promise<T> {
    const resends = { waiting: 0, suspect: 0 };
    for (;;) {
      let link = await this.#linkSoon(signal);
      using turn = resends.suspect > 0 ? await this.#suspects.take(signal) : undefined;
      // The suspect before it may have ended the engine.
      if (turn) link = await this.#linkSoon(signal);
      const last: { stage: Stage } = { stage: 'suspect' };
      try {
        return await send(link, (stage) => {
          if (last.stage === 'answered') return;
          last.stage = stage;
          // An answer with text is not sent again, so it needs no turn to end.
          if (stage === 'answered') turn?.[Symbol.dispose]();
        });
      } catch (error) {
        const { stage } = last;
        const canGoOn = isEngineStopped(error) && !signal?.aborted && !this.#stopped;
        if (!canGoOn || stage === 'answered' || ++resends[stage] > MAX_RESENDS[stage]) throw error;
        onResend();
      }
    }
  }

  /** @throws ApiError model_loading before the first load is complete */
  #checkLoaded(): void {
    if (this.#info === undefined) throw this.#notReady();
  }

  /** The engine, now or after its restart. @throws ApiError engine_stopped after `RESTART_GRACE_MS`; the signal's reason */
  #linkSoon(signal?: AbortSignal): Promise<EngineLink> {
    if (this.#link) return Promise.resolve(this.#link);
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiting.delete(onLink);
      };
      const onLink = (link: EngineLink | null) => {
        end();
        if (link) resolve(link);
        else reject(engineStopped());
      };
      const onAbort = () => {
        end();
        reject(signal?.reason);
      };
      const timer = setTimeout(() => onLink(null), RESTART_GRACE_MS);
      this.#waiting.add(onLink);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else if (this.#stopped) onLink(null);
    });
  }

  #notReady(): ApiError {
    const percent = Math.floor(this.#loaded * 100);
    const headers = { 'retry-after': '2' };
    return new ApiError('model_loading', `The model is being loaded: ${percent}%.`, { headers });
  }

  #load(): Promise<ModelInfo> {
    const child = this.#startProcess();
    const link = new EngineLink(child);
    let readyAt = 0;
    this.#process = child;
    this.#loaded = 0;
    return new Promise((resolve, reject) => {
      child.onMessage((message) => {
        if (message.type === 'loading') {
          const { done, total } = message.progress;
          this.#loaded = total > 0 ? done / total : 0;
          this.#watcher.onLoading?.(message.progress);
        } else if (message.type === 'ready') {
          this.#loaded = 1;
          readyAt = performance.now();
          this.#link = link;
          this.#info = message.info;
          for (const onLink of [...this.#waiting]) onLink(link);
          resolve(message.info);
        } else if (message.type === 'unloadable') {
          reject(errorOf(message.failure));
          child.kill();
        }
      });
      child.onClose((why) => {
        link.close(engineStopped());
        reject(
          new CogVLM2Error(
            'engine_unavailable',
            `The engine's process ended while it loaded the model: ${why}.`,
          ),
        );
        if (this.#link === link) {
          this.#link = undefined;
          if (performance.now() - readyAt > STABLE_MS) this.#crashesInARow = 0;
          this.#restart(why);
        }
      });
      child.send({ type: 'load', options: this.#options });
    });
  }

  #restart(why: string): void {
    if (this.#stopped) return;
    const pauseMs = pauseBeforeRestart(this.#crashesInARow++);
    this.#restarts++;
    this.#loaded = 0;
    this.#watcher.onCrash?.(why, pauseMs);
    this.#restartTimer = setTimeout(() => {
      this.#load().then(
        () => this.#watcher.onRestart?.(),
        (error: Error) => this.#restart(error.message),
      );
    }, pauseMs);
  }
}

/** Pauses before restarts: 0, then 1 s, 2 s, 4 s and so on, at most 30 s. */
export function pauseBeforeRestart(crashesBefore: number): number {
  return crashesBefore === 0 ? 0 : Math.min(30_000, 1_000 * 2 ** (crashesBefore - 1));
}

function engineStopped(): ApiError {
  return new ApiError(
    'engine_stopped',
    'The engine stopped while this was being answered; it is being started again.',
    { headers: { 'retry-after': '1' } },
  );
}

function isEngineStopped(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'engine_stopped';
}
