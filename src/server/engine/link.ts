/** The server's side of the channel to one engine process. */
import { setImmediate } from 'node:timers/promises';
import { CogVLM2Error } from '../../errors.ts';
import type { Answer, AnswerEvent, SequenceState } from '../../index.ts';
import type { AskRequest, EngineCalls, Failure, FromEngine, Port, ToEngine } from './protocol.ts';

/** An image is sent in messages of this size: one of 30 MB would block the event loop of either process for too long. */
const PIECE_BYTES = 2 ** 20;

/** An image that one or more running requests use. It is sent once. */
interface SharedImage {
  imageId: number;
  requests: number;
  sent: Promise<void>;
}

interface Pending {
  onState(state: SequenceState): void;
  onEvent(event: AnswerEvent): void;
  onValue(value: unknown): void;
  onFailure(error: Error): void;
}

export class EngineLink {
  readonly #port: Port<ToEngine, FromEngine>;
  readonly #pending = new Map<number, Pending>();
  readonly #images = new Map<Uint8Array, SharedImage>();
  #lastId = 0;

  constructor(port: Port<ToEngine, FromEngine>) {
    this.#port = port;
    port.onMessage((message) => {
      if (!('id' in message)) return;
      const pending = this.#pending.get(message.id);
      if (message.type === 'state') pending?.onState(message.state);
      else if (message.type === 'event') pending?.onEvent(message.event);
      else if (message.type === 'value') pending?.onValue(message.value);
      else pending?.onFailure(errorOf(message.failure));
    });
  }

  /** One answer. It ends with a message of the engine; after a stop, this is when its KV memory is free. */
  ask(
    request: AskRequest,
    signal: AbortSignal,
    { onState, onEvent }: Pick<Pending, 'onState' | 'onEvent'>,
  ): Promise<Answer> {
    const { image: bytes, ...rest } = request;
    const image = bytes && this.#share(bytes);
    const answer = this.#exchange<Answer>(
      async (id) => {
        await image?.sent;
        this.#port.send({ type: 'ask', id, imageId: image?.imageId ?? null, request: rest });
      },
      signal,
      (resolve, reject) => ({
        onState,
        onEvent: (event) => (event.type === 'done' ? resolve(event.answer) : onEvent(event)),
        onValue: () => {},
        onFailure: reject,
      }),
    );
    return bytes === null ? answer : answer.finally(() => this.#release(bytes));
  }

  call<K extends keyof EngineCalls>(
    name: K,
    ...args: Parameters<EngineCalls[K]>
  ): Promise<ReturnType<EngineCalls[K]>> {
    return this.#exchange<ReturnType<EngineCalls[K]>>(
      (id) => this.#port.send({ type: 'call', id, name, args }),
      undefined,
      (resolve, reject) => ({
        onState: () => {},
        onEvent: () => {},
        // Only here a received value gets its type, which depends on the name of the call.
        onValue: (value) => resolve(value as ReturnType<EngineCalls[K]>),
        onFailure: reject,
      }),
    );
  }

  /** Fails all calls that wait for the engine. */
  close(error: Error): void {
    for (const pending of [...this.#pending.values()]) pending.onFailure(error);
  }

  #share(bytes: Uint8Array): SharedImage {
    const known = this.#images.get(bytes);
    if (known !== undefined) {
      known.requests++;
      return known;
    }
    const imageId = ++this.#lastId;
    const image = { imageId, requests: 1, sent: this.#sendImage(imageId, bytes) };
    this.#images.set(bytes, image);
    return image;
  }

  #release(bytes: Uint8Array): void {
    const image = this.#images.get(bytes);
    if (image === undefined || --image.requests > 0) return;
    this.#images.delete(bytes);
    this.#port.send({ type: 'release', imageId: image.imageId });
  }

  async #sendImage(imageId: number, image: Uint8Array): Promise<void> {
    const sizeBytes = image.byteLength;
    for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
      if (at > 0) await setImmediate();
      this.#port.send({ type: 'image', imageId, sizeBytes, bytes: image.subarray(at, at + PIECE_BYTES) });
    }
  }

  /** @param send sends the first message; a stop is sent after it */
  #exchange<T>(
    send: (id: number) => Promise<void> | void,
    signal: AbortSignal | undefined,
    listen: (resolve: (value: T) => void, reject: (error: Error) => void) => Pending,
  ): Promise<T> {
    const id = ++this.#lastId;
    const stop = () => this.#port.send({ type: 'stop', id });
    const begin = async () => {
      await send(id);
      if (!this.#pending.has(id)) return;
      if (signal?.aborted) stop();
      signal?.addEventListener('abort', stop, { once: true });
    };
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, listen(resolve, reject));
      begin().catch(reject);
    }).finally(() => {
      this.#pending.delete(id);
      signal?.removeEventListener('abort', stop);
    });
  }
}

export function errorOf({ code, message, details, stack }: Failure): Error {
  const error = code === undefined ? new Error(message) : new CogVLM2Error(code, message, { details });
  if (stack !== undefined) error.stack = stack;
  return error;
}
