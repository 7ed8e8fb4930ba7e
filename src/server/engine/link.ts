/** The server's side of the channel to one engine process. */
import { setImmediate } from 'node:timers/promises';
import { CogVLM2Error } from '../../errors.ts';
import type { Answer, AnswerEvent, SequenceState } from '../../index.ts';
import type { AskRequest, EngineCalls, Failure, FromEngine, Port, ToEngine } from './protocol.ts';

/** An image is sent in messages of this size: one of 30 MB would block the event loop of either process for too long. */
const PIECE_BYTES = 2 ** 20;

interface Pending {
  onState(state: SequenceState): void;
  onEvent(event: AnswerEvent): void;
  onValue(value: unknown): void;
  onFailure(error: Error): void;
}

export class EngineLink {
  readonly #port: Port<ToEngine, FromEngine>;
  readonly #pending = new Map<number, Pending>();
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

  /** One answer. It ends when the engine says so: after a stop, when its KV memory is free. */
  ask(
    request: AskRequest,
    signal: AbortSignal,
    { onState, onEvent }: Pick<Pending, 'onState' | 'onEvent'>,
  ): Promise<Answer> {
    return this.#exchange<Answer>(
      (id) => this.#sendAsk(id, request),
      signal,
      (resolve, reject) => ({
        onState,
        onEvent: (event) => (event.type === 'done' ? resolve(event.answer) : onEvent(event)),
        onValue: () => {},
        onFailure: reject,
      }),
    );
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
        // The only place where a received value gets its type back: by the name of the call.
        onValue: (value) => resolve(value as ReturnType<EngineCalls[K]>),
        onFailure: reject,
      }),
    );
  }

  /** Fails everything that waits for the engine. */
  close(error: Error): void {
    for (const pending of [...this.#pending.values()]) pending.onFailure(error);
  }

  /** A large image is sent before, in pieces. */
  async #sendAsk(id: number, request: AskRequest): Promise<void> {
    let { image } = request;
    if (image !== null && image.byteLength > PIECE_BYTES) {
      for (let at = 0; at < image.byteLength; at += PIECE_BYTES) {
        this.#port.send({ type: 'image', id, bytes: image.subarray(at, at + PIECE_BYTES) });
        await setImmediate();
      }
      image = new Uint8Array();
    }
    this.#port.send({ type: 'ask', id, request: { ...request, image } });
  }

  /** @param send sends what begins the exchange; a stop is sent behind it */
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
