/** A thread for work on untrusted files. It can be stopped at any time, and its WebAssembly memory is bounded. */

import { once } from 'node:events';
import path from 'node:path';
import { parentPort, type TransferListItem, Worker } from 'node:worker_threads';
import { CogVLM2Error, type ErrorCode } from '../errors.ts';

/** The reply to a request. */
type ThreadReply<Reply> =
  | { readonly reply: Reply }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } };

export interface ThreadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** Begins the error message if the thread exceeds `timeoutMs` or ends by itself. */
  readonly subject: string;
}

/** Requests are answered one at a time; the caller waits for each. */
export class Thread<Request, Reply> {
  readonly #worker: Worker;
  #hasEnded = false;

  /** @param script the thread's file, as a URL without its extension: .ts in the sources, .js in the build */
  constructor(script: URL) {
    const file = new URL(script.href + path.extname(import.meta.url));
    // Node options of this process, such as --input-type, must not apply to the thread. Output of native code is discarded.
    const options = { execArgv: [], stdout: true, stderr: true };
    // In the sources, the thread needs tsx, a development dependency.
    const viaTsx = `import('tsx/esm/api').then((tsx) => { tsx.register(); return import(${JSON.stringify(file.href)}); })`;
    this.#worker = file.pathname.endsWith('.ts')
      ? new Worker(viaTsx, { ...options, eval: true })
      : new Worker(file, options);
    this.#worker.unref();
    // The next request reports an error that happened between requests.
    this.#worker.on('error', () => {});
    this.#worker.on('exit', () => this.end());
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * After any error that the thread did not report itself, the thread is ended.
   * @param transfer buffers of the request that are transferred instead of copied
   * @throws CogVLM2Error aborted, invalid_image, and the errors that the thread reports
   */
  async ask(
    request: Request,
    { signal, timeoutMs, subject }: ThreadOptions,
    transfer: readonly TransferListItem[] = [],
  ): Promise<Reply> {
    throwIfAborted(signal);
    const late = AbortSignal.timeout(timeoutMs);
    const stop = new AbortController();
    const signals = [late, stop.signal, ...(signal ? [signal] : [])];
    const onExit = () => stop.abort(new Error('its thread ended'));
    this.#worker.once('exit', onExit);
    this.#worker.ref();
    try {
      this.#worker.postMessage(request, transfer);
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

/** A thread that starts when it is needed, and again after it was ended. Requests run one after the other. */
export class SharedThread<Request, Reply> {
  readonly #start: () => Thread<Request, Reply>;
  #thread: Thread<Request, Reply> | undefined;
  #previous: Promise<unknown> = Promise.resolve();

  /** See `Thread`. */
  constructor(script: URL) {
    this.#start = () => new Thread(script);
  }

  /** Starts the thread if it is not running. Call it before a request is known to come: it takes a quarter of a second. */
  start(): Thread<Request, Reply> {
    if (this.#thread === undefined || this.#thread.hasEnded) this.#thread = this.#start();
    return this.#thread;
  }

  /** See `Thread`. */
  ask(request: Request, options: ThreadOptions, transfer: readonly TransferListItem[] = []): Promise<Reply> {
    const reply = this.#previous.then(() => this.start().ask(request, options, transfer));
    this.#previous = reply.catch(() => {});
    return reply;
  }
}

/** @throws CogVLM2Error aborted */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

export function abortedError(signal: AbortSignal | undefined): CogVLM2Error {
  return new CogVLM2Error('aborted', 'Stopped by the caller.', { cause: signal?.reason });
}

function reason(cause: unknown): string {
  const { cause: inner, message } = cause as Error;
  return inner instanceof Error ? inner.message : message;
}

// The code that runs inside the thread.

export interface Answered<Reply> {
  readonly reply: Reply;
  /** Buffers of the reply that are transferred instead of copied. */
  readonly transfer: readonly TransferListItem[];
}

/** Answers each message with `answer`. @param subject begins the message of an error that is not a CogVLM2Error */
export function answerRequests<Request, Reply>(
  subject: string,
  answer: (request: Request) => Promise<Answered<Reply>>,
): void {
  const post = (message: ThreadReply<Reply>, transfer: readonly TransferListItem[]) =>
    parentPort?.postMessage(message, [...transfer]);
  parentPort?.on('message', (request: Request) => {
    answer(request).then(
      ({ reply, transfer }) => post({ reply }, transfer),
      (error: unknown) => {
        const { code, message } = error instanceof CogVLM2Error ? error : described(subject, error);
        post({ failure: { code, message } }, []);
      },
    );
  });
}

/** The part of the global object that is used here; Node's types lack it. */
declare const WebAssembly: { Memory: { prototype: { buffer: ArrayBuffer; grow(pages: number): number } } };

let refusedGrowth = false;

/** Limits the WebAssembly memory of this thread. Beyond the limit `malloc` fails, and the error is reported. */
export function limitWasmMemory(maxBytes: () => number): void {
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * 2 ** 16 > maxBytes()) {
      refusedGrowth = true;
      throw new RangeError('the limit of WebAssembly memory');
    }
    return grow.call(this, pages);
  };
}

function described(subject: string, error: unknown): CogVLM2Error {
  if (refusedGrowth) {
    refusedGrowth = false;
    return new CogVLM2Error('image_too_large', `${subject} needs more memory than the decoder's limit.`);
  }
  const why = String(error)
    .replace(/^\w*Error: /, '')
    .split('\n')[0];
  return new CogVLM2Error('invalid_image', `${subject} could not be read: ${why}.`);
}
