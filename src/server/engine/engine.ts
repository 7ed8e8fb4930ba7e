/** The engine as the server knows it: started, watched, and started again when its process ends. */

import { CogVLM2Error } from '../../errors.ts';
import type { AnswerStream } from '../../generate/answer-stream.ts';
import type { ModelInfo, Progress } from '../../index.ts';
import { ApiError } from '../api-error.ts';
import { EngineLink, errorOf } from './link.ts';
import type { EngineProcess } from './process.ts';
import type { AskRequest, EngineCalls, EngineLoadOptions, EngineStats } from './protocol.ts';

export interface EngineWatcher {
  onLoading?(progress: Progress): void;
  /** The process ended by itself; it is started again after `pauseMs`. */
  onCrash?(why: string, pauseMs: number): void;
  /** The model is there again after a crash. */
  onRestart?(): void;
}

/** How long a process must have answered until a crash counts as the first again. */
const STABLE_MS = 60_000;

export class Engine {
  readonly #startProcess: () => EngineProcess;
  readonly #options: EngineLoadOptions;
  readonly #watcher: EngineWatcher;
  #process: EngineProcess | undefined;
  #link: EngineLink | undefined;
  #info: ModelInfo | undefined;
  #loaded = 0;
  #restarts = 0;
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

  /** Share of the model that is loaded, 0 to 1. */
  get loaded(): number {
    return this.#loaded;
  }

  /** How often the process ended by itself. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Of the model; known from the first load on. @throws ApiError model_loading */
  get info(): ModelInfo {
    if (this.#info === undefined) throw this.#notReady();
    return this.#info;
  }

  /** @throws ApiError model_loading; through the stream engine_stopped, and CogVLM2Error those of `ask` */
  ask(request: AskRequest, signal: AbortSignal): AnswerStream {
    return this.#ready().ask(request, signal);
  }

  /** @throws ApiError model_loading, engine_stopped, and CogVLM2Error those of what is called */
  async call<K extends keyof EngineCalls>(
    name: K,
    ...args: Parameters<EngineCalls[K]>
  ): Promise<ReturnType<EngineCalls[K]>> {
    return this.#ready().call(name, ...args);
  }

  /** What the engine says of itself; null while there is none to ask. */
  async stats(): Promise<EngineStats | null> {
    return (await this.#link?.call('stats').catch(() => null)) ?? null;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#restartTimer);
    this.#process?.kill();
  }

  #ready(): EngineLink {
    if (this.#link === undefined) throw this.#notReady();
    return this.#link;
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
          resolve(message.info);
        } else if (message.type === 'unloadable') {
          reject(errorOf(message.failure));
          child.kill();
        }
      });
      child.onClose((why) => {
        const headers = { 'retry-after': '1' };
        link.close(
          new ApiError(
            'engine_stopped',
            'The engine stopped while this was being answered; it is being started again.',
            { headers },
          ),
        );
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

/** At once, then 1 s, 2 s, 4 s and so on, at most 30 s. */
export function pauseBeforeRestart(crashesBefore: number): number {
  return crashesBefore === 0 ? 0 : Math.min(30_000, 1_000 * 2 ** (crashesBefore - 1));
}
