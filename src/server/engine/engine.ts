/** The interface of the server to the engine. It starts the engine's process, watches it, and restarts it when it ends. */

import { CogVLM2Error } from '../../errors.ts';
import { AnswerStream, type Emit } from '../../generate/answer-stream.ts';
import type { Answer, ModelInfo, Progress, SequenceState } from '../../index.ts';
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

/** A crash after this time counts as the first one again. */
const STABLE_MS = 60_000;

/** Maximum time that a request without text waits for the restart of the engine. */
const RESTART_GRACE_MS = 5_000;

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
   * Makes one answer. If the engine restarts within `RESTART_GRACE_MS`, an answer without text continues: the request is sent again. A
   * request that was running is sent again only once, because it may have caused the crash.
   * @param onState called with each state of the answer in the engine's scheduler
   * @throws ApiError model_loading; through the stream engine_stopped, and CogVLM2Error those of `ask`
   */
  ask(request: AskRequest, signal: AbortSignal, onState: (state: SequenceState) => void): AnswerStream {
    this.#checkLoaded();
    return new AnswerStream((emit, left) =>
      this.#askAgain(request, AbortSignal.any([signal, left]), emit, onState),
    );
  }

  /** @throws ApiError model_loading, engine_stopped, and CogVLM2Error the errors of the call */
  async call<K extends keyof EngineCalls>(
    name: K,
    ...args: Parameters<EngineCalls[K]>
  ): Promise<ReturnType<EngineCalls[K]>> {
    this.#checkLoaded();
    const link = await this.#linkSoon();
    try {
      return await link.call(name, ...args);
    } catch (error) {
      if (!isEngineStopped(error)) throw error;
      return (await this.#linkSoon()).call(name, ...args);
    }
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

  async #askAgain(
    request: AskRequest,
    signal: AbortSignal,
    emit: Emit,
    onState: (state: SequenceState) => void,
  ): Promise<Answer> {
    let resends = 0;
    for (;;) {
      const link = await this.#linkSoon(signal);
      let [isQueued, hasText] = [true, false];
      try {
        return await link.ask(request, signal, {
          onState: (state) => {
            isQueued = state === 'queued';
            onState(state);
          },
          onEvent: (event) => {
            hasText ||= event.type === 'text';
            emit(event);
          },
        });
      } catch (error) {
        const canGoOn = isEngineStopped(error) && !hasText && !signal.aborted && !this.#stopped;
        if (!canGoOn || (!isQueued && ++resends > 1)) throw error;
        onState('queued');
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
    const startedAt = performance.now();
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
          if (performance.now() - startedAt > STABLE_MS) this.#crashesInARow = 0;
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
