/** The engine's side of the channel: one model, and the answers that it is making. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CogVLM2Error } from '../../errors.ts';
import type { LoadOptions, SequenceState } from '../../index.ts';
import type {
  AskRequest,
  EngineCalls,
  Failure,
  FromEngine,
  HostedModel,
  Port,
  ToEngine,
} from './protocol.ts';

export function hostEngine(
  port: Port<FromEngine, ToEngine>,
  load: (options: LoadOptions) => Promise<HostedModel>,
): void {
  port.onMessage((message) => {
    if (message.type !== 'load') return;
    const onProgress: LoadOptions['onProgress'] = (progress) => port.send({ type: 'loading', progress });
    load({ ...message.options, onProgress }).then(
      (model) => {
        new Host(port, model);
        port.send({ type: 'ready', info: model.info });
      },
      (error: unknown) => port.send({ type: 'unloadable', failure: failureOf(error) }),
    );
  });
}

class Host {
  readonly #port: Port<FromEngine, ToEngine>;
  readonly #model: HostedModel;
  readonly #running = new Map<number, AbortController>();
  /** Pieces of images whose request has not arrived yet. */
  readonly #images = new Map<number, Uint8Array[]>();
  readonly #delay = monitorEventLoopDelay({ resolution: 5 });

  constructor(port: Port<FromEngine, ToEngine>, model: HostedModel) {
    this.#port = port;
    this.#model = model;
    this.#delay.enable();
    port.onMessage((message) => {
      if (message.type === 'image') this.#addPiece(message.id, message.bytes);
      else if (message.type === 'ask') void this.#answer(message.id, this.#withImage(message));
      else if (message.type === 'stop') this.#running.get(message.id)?.abort();
      else if (message.type === 'call') void this.#call(message.id, message.name, message.args);
    });
  }

  #addPiece(id: number, bytes: Uint8Array): void {
    const pieces = this.#images.get(id) ?? [];
    this.#images.set(id, pieces);
    pieces.push(bytes);
  }

  #withImage({ id, request }: { id: number; request: AskRequest }): AskRequest {
    const pieces = this.#images.get(id);
    if (pieces === undefined) return request;
    this.#images.delete(id);
    return { ...request, image: Buffer.concat(pieces) };
  }

  async #answer(id: number, { image, question, history, options }: AskRequest): Promise<void> {
    const stop = new AbortController();
    this.#running.set(id, stop);
    const onState = (state: SequenceState) => this.#port.send({ type: 'state', id, state });
    const { signal } = stop;
    try {
      for await (const event of this.#model.ask(image, question, { ...options, history, signal, onState })) {
        this.#port.send({ type: 'event', id, event });
      }
    } catch (error) {
      this.#port.send({ type: 'failed', id, failure: failureOf(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  async #call(id: number, name: keyof EngineCalls, args: unknown[]): Promise<void> {
    try {
      const call = this.#calls[name] as (...args: unknown[]) => unknown;
      this.#port.send({ type: 'value', id, value: await call(...args) });
    } catch (error) {
      this.#port.send({ type: 'failed', id, failure: failureOf(error) });
    }
  }

  readonly #calls: {
    [K in keyof EngineCalls]: (
      ...args: Parameters<EngineCalls[K]>
    ) => ReturnType<EngineCalls[K]> | Promise<ReturnType<EngineCalls[K]>>;
  } = {
    check: (hasImage, { question, history, options }) =>
      this.#model.checkInBackground(hasImage, question, { ...options, history }),
    tokenize: (text) => this.#model.tokenizeInBackground(text),
    detokenize: (ids) => this.#model.detokenize(ids),
    stats: () => {
      const eventLoopMs = this.#delay.max / 1e6;
      this.#delay.reset();
      const residentBytes = process.memoryUsage.rss();
      return { ...this.#model.stats(), processId: process.pid, residentBytes, eventLoopMs };
    },
  };
}

function failureOf(error: unknown): Failure {
  return {
    code: error instanceof CogVLM2Error ? error.code : undefined,
    message: error instanceof Error ? error.message : String(error),
    details: error instanceof CogVLM2Error ? error.details : {},
    stack: error instanceof Error ? error.stack : undefined,
  };
}
