/**
 * Encodes long texts away from the event loop: 32 kB of Chinese text take more than 100 ms. The thread is started by the
 * first long text and ends when there was none for a minute, because its tokenizer takes as much memory as the first one.
 */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { CogVLM2Error } from '../errors.ts';

/** The inputs of a tokenizer; see `Tokenizer`. */
export interface TokenizerSources {
  readonly tokenizer: unknown;
  readonly config: unknown;
  readonly modelVocabSize: number;
}

export interface EncodingRequest {
  id: number;
  text: string;
}

export type EncodingReply = { id: number; ids: Int32Array } | { id: number; failure: string };

/** Characters from which a text is long. */
export const LONG_TEXT = 4_096;
const IDLE_MS = 60_000;

interface Pending {
  resolve(ids: number[]): void;
  reject(error: Error): void;
}

export class LongTexts {
  readonly #sources: TokenizerSources;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(sources: TokenizerSources) {
    this.#sources = sources;
  }

  /** @throws CogVLM2Error invalid_checkpoint, as `Tokenizer.encode`; engine_unavailable when the thread ends by itself */
  encode(text: string): Promise<number[]> {
    const worker = this.#worker ?? this.#start();
    const id = ++this.#lastId;
    clearTimeout(this.#idle);
    worker.ref();
    return new Promise<number[]>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ id, text } satisfies EncodingRequest);
    }).finally(() => {
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#rest();
    });
  }

  #start(): Worker {
    // Its extension is that of this file: .ts in the sources, .js in the build. Sources need tsx, a development dependency.
    const file = new URL(`./encoding-thread${path.extname(import.meta.url)}`, import.meta.url);
    const viaTsx = `import('tsx/esm/api').then((tsx) => { tsx.register(); return import(${JSON.stringify(file.href)}); })`;
    const options = { execArgv: [], workerData: this.#sources };
    const worker = file.pathname.endsWith('.ts')
      ? new Worker(viaTsx, { ...options, eval: true })
      : new Worker(file, options);
    this.#worker = worker;
    worker.on('message', (reply: EncodingReply) => {
      const pending = this.#pending.get(reply.id);
      if ('ids' in reply) pending?.resolve([...reply.ids]);
      else pending?.reject(new CogVLM2Error('invalid_checkpoint', reply.failure));
    });
    let cause: unknown;
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      const error = new CogVLM2Error('engine_unavailable', 'The thread that encodes long texts ended.', {
        cause,
      });
      for (const pending of [...this.#pending.values()]) pending.reject(error);
    });
    return worker;
  }

  /** Nothing is pending: the thread does not keep the process running, and ends after a while. */
  #rest(): void {
    const worker = this.#worker;
    worker?.unref();
    this.#idle = setTimeout(() => {
      this.#worker = undefined;
      void worker?.terminate();
    }, IDLE_MS).unref();
  }
}
