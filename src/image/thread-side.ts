/** The other end of `Thread`: what runs within it. */
import { parentPort, type TransferListItem } from 'node:worker_threads';
import { CogVLM2Error } from '../errors.ts';
import type { ThreadReply } from './thread.ts';

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
