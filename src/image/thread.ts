/** A thread for work on files that are not trusted. It can be stopped at any time, and its WebAssembly memory is bounded. */

import { once } from 'node:events';
import path from 'node:path';
import { parentPort, type TransferListItem, Worker } from 'node:worker_threads';
import { CogVLM2Error, type ErrorCode } from '../errors.ts';

/** What a thread answers a request with. */
type ThreadReply<Reply> =
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

  /** @param script the file that the thread runs, as an URL without its ending: .ts in the sources, .js in the build */
  constructor(script: URL) {
    const file = new URL(script.href + path.extname(import.meta.url));
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
   * @param transfer buffers of the request that are handed over, not copied
   * @throws CogVLM2Error aborted, invalid_image, and the failures that the thread reports
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

/** A thread that starts when it is first needed, and again after it was ended. Requests wait for those before them. */
export class SharedThread<Request, Reply> {
  readonly #start: () => Thread<Request, Reply>;
  #thread: Thread<Request, Reply> | undefined;
  #previous: Promise<unknown> = Promise.resolve();

  /** See `Thread`. */
  constructor(script: URL) {
    this.#start = () => new Thread(script);
  }

  /** Starts it, if it does not run. Worth calling when a request is known to come: it takes a quarter of a second. */
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
  if (signal?.aborted) throw new CogVLM2Error('aborted', 'Stopped by the caller.', { cause: signal.reason });
}

function reason(cause: unknown): string {
  const { cause: inner, message } = cause as Error;
  return inner instanceof Error ? inner.message : message;
}

// The other end of `Thread`: what runs within it.

export interface Answered<Reply> {
  readonly reply: Reply;
  /** Buffers of the reply that are handed over, not copied. */
  readonly transfer: readonly TransferListItem[];
}

/** Answers each message by `answer`. @param subject begins the message of an error that is not a CogVLM2Error */
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

/** The part of the global object that is used here; Node's types do not have it. */
declare const WebAssembly: { Memory: { prototype: { buffer: ArrayBuffer; grow(pages: number): number } } };

let refusedGrowth = false;

/** Lets no WebAssembly memory of this thread grow beyond the limit: `malloc` in it fails, and that is reported. */
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
    return new CogVLM2Error('image_too_large', `${subject} needs more memory than its decoder is given.`);
  }
  const why = String(error)
    .replace(/^\w*Error: /, '')
    .split('\n')[0];
  return new CogVLM2Error('invalid_image', `${subject} could not be read: ${why}.`);
}
