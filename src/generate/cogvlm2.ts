import type { z } from 'zod';
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint.ts';
import { demoModelPath, findModel } from '../checkpoint/find.ts';
import { CogVLM2Error } from '../errors.ts';
import { preprocessImage } from '../image/preprocess.ts';
import type { ImageSource } from '../image/source.ts';
import { Model } from '../model/cogvlm2.ts';
import { EncodedImage } from '../model/encoded-image.ts';
import { Tokenizer } from '../text/tokenizer.ts';
import { AnswerStream } from './answer-stream.ts';
import { Conversation } from './conversation.ts';
import { askForJson, type Extraction, type ExtractOptions, formatOf, readValue } from './extract.ts';
import { generate, prepare, type Request, type Slot } from './generate.ts';
import { GrammarMasks } from './grammar/masks.ts';
import type { Answer, GenerateOptions, Progress, Turn } from './types.ts';

export interface LoadOptions {
  /** A folder in the published layout, a .gguf file, or a name that `listModels` gives. Default: the demo model. */
  model?: string;
  /** `auto` (the default), `cpu`, `gpu`, or the beginning of a device's name. */
  device?: string;
  /** Default: the physical cores. */
  threads?: number;
  /** Most tokens of prompt and answer together. Default: what the model was made for. */
  contextSize?: number;
  /** `f32` computes everything in float32. `auto` uses the stored types, except where a model is so small that f32 is no slower. */
  compute?: 'auto' | 'f32';
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export interface ModelInfo {
  name: string;
  path: string;
  format: 'safetensors' | 'gguf';
  sizeBytes: number;
  /** Bytes of each stored type. */
  types: Record<string, number>;
  parameters: number;
  imageSize: number;
  /** What a picture takes of the context. */
  imageTokens: number;
  contextSize: number;
  device: string;
  threads: number;
  isDemo: boolean;
}

/** What `check` finds: tokens of the whole prompt, those of them for the picture, and the most to answer with. */
export interface PromptSize {
  promptTokens: number;
  imageTokens: number;
  maxTokens: number;
}

interface WorkOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/**
 * A loaded model. Answers are made one at a time, in the order in which they were begun; the KV cache is kept from
 * one to the next, so that a common beginning (the picture above all) is run once.
 */
export class CogVLM2 {
  readonly info: ModelInfo;
  readonly #model: Model;
  readonly #tokenizer: Tokenizer;
  readonly #slot: Slot;
  readonly #masks: GrammarMasks;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(model: Model, tokenizer: Tokenizer, info: ModelInfo) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.info = info;
    this.#masks = new GrammarMasks(tokenizer, model.config.vocabSize, model.config.eosIds);
    this.#slot = { cache: model.newCache(info.contextSize), rows: { ids: [], imageKey: null } };
  }

  /**
   * @throws CogVLM2Error `model_not_found`, `file_not_found`, `invalid_checkpoint`, `engine_unavailable`,
   * `invalid_value`, `out_of_memory`, `aborted`.
   */
  static async load(options: LoadOptions = {}): Promise<CogVLM2> {
    const { signal, onProgress, device, threads } = options;
    const { path } = await findModel(options.model);
    const checkpoint = openCheckpoint(path);
    const tokenizerText = checkpoint.texts['tokenizer.json'];
    if (tokenizerText === undefined) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${path} has no tokenizer.json, so it can neither read nor write text.`,
      );
    }
    const tokenizer = new Tokenizer(tokenizerText, checkpoint.texts['tokenizer_config.json'] ?? {});
    const model = await asAborted(signal, () =>
      Model.load(checkpoint, {
        compute: options.compute ?? 'auto',
        onLoad: (done, total) => onProgress?.({ stage: 'load', done, total }),
        ...(device !== undefined && { device }),
        ...(threads !== undefined && { threads }),
        ...(signal && { signal }),
      }),
    );
    try {
      if (tokenizer.vocabSize > model.config.vocabSize) {
        throw new CogVLM2Error(
          'invalid_checkpoint',
          `tokenizer.json of ${path} has ${tokenizer.vocabSize} tokens, but the model's vocabulary is ${model.config.vocabSize}.`,
        );
      }
      return new CogVLM2(model, tokenizer, describeModel(checkpoint, model, options.contextSize));
    } catch (error) {
      model[Symbol.dispose]();
      throw error;
    }
  }

  /** Decodes and encodes a picture, to ask about it often. @throws CogVLM2Error for a picture that cannot be read. */
  encodeImage(source: ImageSource, options: WorkOptions = {}): Promise<EncodedImage> {
    return this.#inTurn(() => this.#encode(source, options.onProgress ?? (() => {}), options.signal));
  }

  /**
   * One question, with a picture or (null) without. A picture that is not encoded yet is, and freed afterwards.
   * @throws (through the stream) CogVLM2Error `context_length_exceeded`, `invalid_value`, and those of `encodeImage`.
   */
  ask(
    image: EncodedImage | ImageSource | null,
    question: string,
    options: GenerateOptions = {},
  ): AnswerStream {
    return this.#answer(
      { question, history: [], options },
      async (encode) => {
        if (image === null || image instanceof EncodedImage) return { image, release: () => {} };
        const encoded = await encode(image);
        return { image: encoded, release: () => encoded.dispose() };
      },
      image !== null,
    );
  }

  /**
   * Reads a value of the schema's type out of a picture; the answer is held to the schema while it is made.
   * @throws CogVLM2Error `invalid_json_schema` when it cannot be, `answer_incomplete` when maxTokens or the context
   * cut the answer, `answer_rejected` when a refinement refuses it, `aborted`, and those of `ask`.
   */
  async extract<S extends z.ZodType>(
    image: EncodedImage | ImageSource | null,
    schema: S,
    options: ExtractOptions = {},
  ): Promise<Extraction<z.output<S>>> {
    const { question = 'Read the picture.', ...rest } = options;
    const format = formatOf(schema);
    const answer = await this.ask(image, askForJson(question, format.schema), { ...rest, format }).result();
    return readValue(schema, answer);
  }

  /** A conversation, about a picture or (null) without one. */
  chat(image: EncodedImage | ImageSource | null = null, history: readonly Turn[] = []): Conversation {
    const conversation = new Conversation((question, turns, options, done) => {
      const stream = this.#answer(
        { question, history: turns, options },
        async (encode) => {
          if (image === null || image instanceof EncodedImage) return { image, release: () => {} };
          conversation.image ??= await encode(image);
          return { image: conversation.image, release: () => {} };
        },
        image !== null,
        (answer) => {
          if (answer.text !== '') done({ question, answer: answer.text });
        },
      );
      return stream;
    }, history);
    return conversation;
  }

  /**
   * What an answer would take, checked as `ask` checks it, without running the model.
   * @throws CogVLM2Error `invalid_value`, `context_length_exceeded`.
   */
  check(
    hasImage: boolean,
    question: string,
    history: readonly Turn[] = [],
    options: GenerateOptions = {},
  ): PromptSize {
    const request = { question, history, options };
    const { prompt, maxTokens } = prepare(
      this.#model,
      this.#tokenizer,
      this.info.contextSize,
      hasImage,
      request,
    );
    const imageTokens = prompt.image === null ? 0 : prompt.image.end - prompt.image.start;
    return { promptTokens: prompt.ids.length, imageTokens, maxTokens };
  }

  /** The ids of a text; no special tokens are added. */
  tokenize(text: string): number[] {
    return this.#tokenizer.encode(text);
  }

  /** The text of ids; special tokens are left out. */
  detokenize(ids: Iterable<number>): string {
    return this.#tokenizer.decode(ids);
  }

  /** Frees all native memory as soon as the step that is running is done. Pending answers fail with `disposed`. */
  dispose(): void {
    this.#disposed = true;
    this.#masks[Symbol.dispose]();
    this.#model[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #answer(
    request: Request,
    picture: (
      encode: (source: ImageSource) => Promise<EncodedImage>,
    ) => Promise<{ image: EncodedImage | null; release: () => void }>,
    hasImage: boolean,
    onDone: (answer: Answer) => void = () => {},
  ): AnswerStream {
    return new AnswerStream((emit, left) => {
      const outer = request.options.signal;
      const signal = outer ? AbortSignal.any([outer, left]) : left;
      return this.#inTurn(async () => {
        const startedAt = performance.now();
        const prepared = prepare(this.#model, this.#tokenizer, this.info.contextSize, hasImage, request);
        using mask = prepared.grammar === null ? null : await this.#masks.start(prepared.grammar);
        let encoded: EncodedImage | undefined;
        const { image, release } = await picture(async (source) => {
          encoded = await this.#encode(source, (progress) => emit({ type: 'progress', progress }), signal);
          return encoded;
        });
        try {
          const answer = await generate(
            this.#model,
            this.#tokenizer,
            this.#slot,
            image,
            prepared,
            mask,
            emit,
            signal,
            startedAt,
          );
          if (encoded)
            Object.assign(answer.timings, { imageMs: encoded.imageMs, visionMs: encoded.visionMs });
          onDone(answer);
          return answer;
        } finally {
          release();
        }
      });
    });
  }

  async #encode(
    source: ImageSource,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal | undefined,
  ): Promise<EncodedImage> {
    return asAborted(signal, async () => {
      const start = performance.now();
      const options = signal ? { signal } : {};
      const { vision } = this.#model.config;
      const { pixels, width, height, sha256 } = await preprocessImage(source, vision.imageSize, options);
      const decoded = performance.now();
      const onLayer = (done: number, total: number) => onProgress({ stage: 'vision', done, total });
      const state = await this.#model.encodeImage(pixels, { signal, onLayer });
      return new EncodedImage(state, {
        width,
        height,
        imageTokens: vision.imageTokens,
        contentKey: sha256,
        imageMs: decoded - start,
        visionMs: performance.now() - decoded,
      });
    });
  }

  /** Work on the model, one piece at a time, in order. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(() => {
      if (this.#disposed) throw new CogVLM2Error('disposed', 'This model was disposed; load it again.');
      return work();
    });
    this.#last = run.catch(() => {});
    return run;
  }
}

function describeModel(checkpoint: Checkpoint, { config, engine }: Model, wantedContext?: number): ModelInfo {
  const contextSize = wantedContext ?? config.maxPositions;
  if (!Number.isInteger(contextSize) || contextSize < 1 || contextSize > config.maxPositions) {
    throw new CogVLM2Error(
      'invalid_value',
      `The context must be a whole number of tokens from 1 to ${config.maxPositions} for this model; got ${contextSize}.`,
    );
  }
  const types: Record<string, number> = {};
  let [sizeBytes, parameters] = [0, 0];
  for (const tensor of checkpoint.tensors.values()) {
    types[tensor.type] = (types[tensor.type] ?? 0) + tensor.sizeBytes;
    sizeBytes += tensor.sizeBytes;
    // The tables of rotary frequencies are computed, not learnt.
    if (!tensor.name.endsWith('inv_freq')) parameters += tensor.shape.reduce((a, b) => a * b, 1);
  }
  const { name, path, format } = checkpoint;
  return {
    name,
    path,
    format,
    sizeBytes,
    types,
    parameters,
    contextSize,
    imageSize: config.vision.imageSize,
    imageTokens: config.vision.imageTokens,
    device: engine.device.name,
    threads: engine.threads,
    isDemo: path === demoModelPath(),
  };
}

/** An abort comes as whatever reason the caller gave; here it becomes our error, whose cause that is. */
async function asAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (signal?.aborted) throw new CogVLM2Error('aborted', 'Stopped before it was done.', { cause });
    throw cause;
  }
}
