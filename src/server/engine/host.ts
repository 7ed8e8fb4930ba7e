/** The engine's side of the channel: one model, and its running answers. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CogVLM2Error } from '../../errors.ts';
import { sniffFormat } from '../../image/formats.ts';
import { ImageFile, type ImageSource } from '../../image/source.ts';
import type { LoadOptions, SequenceState } from '../../index.ts';
import type { VisualSource } from '../../video/video.ts';
import type {
  EngineCalls,
  Failure,
  FromEngine,
  HostedModel,
  Port,
  ToEngine,
  VideoFacts,
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
  readonly #images = new Map<number, ArrivingImage>();
  readonly #delay = monitorEventLoopDelay({ resolution: 5 });

  constructor(port: Port<FromEngine, ToEngine>, model: HostedModel) {
    this.#port = port;
    this.#model = model;
    this.#delay.enable();
    port.onMessage((message) => {
      if (message.type === 'image') this.#addPiece(message);
      else if (message.type === 'release') this.#images.delete(message.imageId);
      else if (message.type === 'ask') void this.#answer(message);
      else if (message.type === 'stop') this.#running.get(message.id)?.abort();
      else if (message.type === 'call') void this.#call(message.id, message.name, message.args);
    });
  }

  #addPiece({ imageId, sizeBytes, bytes }: Extract<ToEngine, { type: 'image' }>): void {
    const image = this.#images.get(imageId) ?? new ArrivingImage(sizeBytes);
    this.#images.set(imageId, image);
    image.add(bytes);
  }

  #imageOf(imageId: number, video: VideoFacts | null): VisualSource {
    const image = this.#images.get(imageId);
    if (image === undefined) throw new Error(`Image ${imageId} has not arrived.`);
    return video === null ? image.source : { ...video, pixels: image.pixels };
  }

  async #answer({ id, imageId, request }: Extract<ToEngine, { type: 'ask' }>): Promise<void> {
    const { question, history, options, video = null } = request;
    const stop = new AbortController();
    this.#running.set(id, stop);
    const onState = (state: SequenceState) => this.#port.send({ type: 'state', id, state });
    const { signal } = stop;
    try {
      const image = imageId === null ? null : this.#imageOf(imageId, video);
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
    check: (hasImage, { question, history, options }, frameTexts) =>
      this.#model.checkInBackground(hasImage, question, { ...options, history }, frameTexts),
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

/** An image whose bytes arrive in pieces. They are stored in shared memory, so the decoding thread needs no copy. */
class ArrivingImage {
  readonly #bytes: Uint8Array;
  #arrived = 0;
  #source: ImageSource | undefined;
  #pixels: Float32Array<ArrayBuffer> | undefined;

  constructor(sizeBytes: number) {
    this.#bytes = new Uint8Array(new SharedArrayBuffer(sizeBytes));
  }

  add(piece: Uint8Array): void {
    this.#bytes.set(piece, this.#arrived);
    this.#arrived += piece.byteLength;
  }

  /** One object for all requests, so that the format is detected and the bytes are hashed once. */
  get source(): ImageSource {
    this.#source ??= recognized(this.#bytes);
    return this.#source;
  }

  /** The pixels of frames. */
  get pixels(): Float32Array<ArrayBuffer> {
    this.#pixels ??= new Float32Array(this.#bytes.slice().buffer as ArrayBuffer);
    return this.#pixels;
  }
}

/** Bytes in an unsupported format remain bytes. The model refuses them. */
function recognized(bytes: Uint8Array): ImageSource {
  const format = sniffFormat(bytes);
  return format === null ? bytes : new ImageFile(bytes, format);
}

function failureOf(error: unknown): Failure {
  return {
    code: error instanceof CogVLM2Error ? error.code : undefined,
    message: error instanceof Error ? error.message : String(error),
    details: error instanceof CogVLM2Error ? error.details : {},
    stack: error instanceof Error ? error.stack : undefined,
  };
}
