/** The server's side of the channel to one engine process. */

import { CogVLM2Error } from '../../errors.ts';
import type { Answer, AnswerEvent, SequenceState } from '../../index.ts';
import type { AskRequest, EngineCalls, Failure, FromEngine, Port, ToEngine } from './protocol.ts';

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
      (id) => ({ type: 'ask', id, request }),
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
      (id) => ({ type: 'call', id, name, args }),
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

  #exchange<T>(
    message: (id: number) => ToEngine,
    signal: AbortSignal | undefined,
    listen: (resolve: (value: T) => void, reject: (error: Error) => void) => Pending,
  ): Promise<T> {
    const id = ++this.#lastId;
    const stop = () => this.#port.send({ type: 'stop', id });
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, listen(resolve, reject));
      this.#port.send(message(id));
      if (signal?.aborted) stop();
      signal?.addEventListener('abort', stop, { once: true });
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
