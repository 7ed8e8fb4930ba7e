/** A thread for work on files that are not trusted. It can be stopped at any time, and its WebAssembly memory is bounded. */
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { CogVLM2Error, type ErrorCode } from '../errors.ts';

/** What a thread answers a request with. */
export type ThreadReply<Reply> =
  | { readonly reply: Reply }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } };

export interface ThreadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** What a person reads when the thread takes longer than `timeoutMs`, or ends by itself. */
  readonly subject: string;
}

/** Requests are answered one at a time; the caller waits for each. */
export class Thread<Request, Reply> {
  readonly #worker: Worker;
  #hasEnded = false;

  constructor(script: 'image-thread' | 'pdf-thread') {
    // .ts beside the sources, .js beside what is built of them.
    const file = new URL(`./${script}${path.extname(import.meta.url)}`, import.meta.url);
    // Flags of this process, such as --input-type, must not reach the thread. What native code prints is not for people.
    const options = { execArgv: [], stdout: true, stderr: true };
    // Sources need tsx, a development dependency, to be loaded in a thread.
    const viaTsx = `import('tsx/esm/api').then((tsx) => { tsx.register(); return import(${JSON.stringify(file.href)}); })`;
    this.#worker = file.pathname.endsWith('.ts')
      ? new Worker(viaTsx, { ...options, eval: true })
      : new Worker(file, options);
    this.#worker.unref();
    // An error while nobody waits is seen by the next request.
    this.#worker.on('error', () => {});
    this.#worker.on('exit', () => this.end());
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * After an error other than a failure that the thread reports itself, the thread is ended.
   * @throws CogVLM2Error aborted, invalid_image, and the failures that the thread reports
   */
  async ask(request: Request, { signal, timeoutMs, subject }: ThreadOptions): Promise<Reply> {
    throwIfAborted(signal);
    const late = AbortSignal.timeout(timeoutMs);
    const stop = new AbortController();
    const signals = [late, stop.signal, ...(signal ? [signal] : [])];
    const onExit = () => stop.abort(new Error('its thread ended'));
    this.#worker.once('exit', onExit);
    this.#worker.ref();
    try {
      this.#worker.postMessage(request);
      const [answer] = (await once(this.#worker, 'message', { signal: AbortSignal.any(signals) })) as [
        ThreadReply<Reply>,
      ];
      if ('reply' in answer) return answer.reply;
      throw new CogVLM2Error(answer.failure.code, answer.failure.message);
    } catch (cause) {
      if (cause instanceof CogVLM2Error) throw cause;
      this.end();
      throwIfAborted(signal);
      const why = late.aborted
        ? `took longer than ${timeoutMs / 1000} seconds`
        : `could not be read: ${reason(cause)}`;
      throw new CogVLM2Error('invalid_image', `${subject} ${why}.`, { cause });
    } finally {
      this.#worker.off('exit', onExit);
      this.#worker.unref();
    }
  }

  end(): void {
    this.#hasEnded = true;
    void this.#worker.terminate();
  }
}

/** @throws CogVLM2Error aborted */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CogVLM2Error('aborted', 'Stopped by the caller.', { cause: signal.reason });
}

function reason(cause: unknown): string {
  const { cause: inner, message } = cause as Error;
  return inner instanceof Error ? inner.message : message;
}
