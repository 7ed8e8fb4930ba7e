import type { z } from 'zod';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { findModel } from '../checkpoint/find.ts';
import type { Checkpoint } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import { GrammarMasks } from '../grammar/masks.ts';
import { Model } from '../model/cogvlm2.ts';
import type { ModelConfig } from '../model/config.ts';
import { EncodedImage } from '../model/encoded-image.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { VisualSource } from '../video/video.ts';
import { LoadedAdapters } from './adapters.ts';
import { type Answering, answerQuestion, type Question } from './answer-question.ts';
import { AnswerStream } from './answer-stream.ts';
import { Conversation } from './conversation.ts';
import { DiskImageCache, isWorthCaching, visionFingerprint } from './disk-image-cache.ts';
import { EvidenceCollector, evidenceHeads } from './evidence.ts';
import {
  askForJson,
  type Extraction,
  type ExtractOptions,
  type FieldExtraction,
  type FieldOptions,
  fieldsOf,
  formatOf,
  objectOf,
  readValue,
} from './extract.ts';
import { asAborted, type DiskCache, ImageEncoder } from './image-encoder.ts';
import { kvLimits, type LoadOptions } from './load-options.ts';
import { describeModel, type ModelInfo, tokenizerOf } from './model-info.ts';
import { type PreparedRequest, PromptBuilder } from './prepare-request.ts';
import { Scheduler } from './scheduler.ts';
import type { GenerateOptions, Progress, PromptSize, Stats, Turn } from './types.ts';

interface WorkOptions {
  /** The adapter of the answers that will use the image, if it changes the vision tower. */
  adapter?: string;
  /** The template of the questions; for a video it decides which frames the model sees. Default: that of the model. */
  template?: 'chat' | 'vqa' | 'base';
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

const defaultImageCacheBytes = 256 * 2 ** 20;

/**
 * A loaded model. Several answers run at the same time: their tokens in common decode steps, their images and prompts in pieces
 * between these. An answer does not depend on the others. KV caches are kept as prefix caches, so a common beginning (mostly the
 * image) is computed once.
 */
export class CogVLM2 {
  readonly info: ModelInfo;
  readonly #model: Model;
  readonly #tokenizer: Tokenizer;
  readonly #scheduler: Scheduler;
  readonly #prompts: PromptBuilder;
  readonly #images: ImageEncoder;
  readonly #adapters: LoadedAdapters;
  readonly #answering: Answering;
  #disposed = false;

  private constructor(
    model: Model,
    tokenizer: Tokenizer,
    info: ModelInfo,
    { disk, adapters }: { disk: DiskCache | null; adapters: LoadedAdapters },
    options: LoadOptions,
  ) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.info = info;
    const { config } = model;
    const limits = kvLimits(options, info.contextSize, model);
    const cacheBytes = options.imageCacheBytes ?? defaultImageCacheBytes;
    this.#adapters = adapters;
    this.#scheduler = new Scheduler(model, limits);
    this.#prompts = new PromptBuilder(config, tokenizer, info.contextSize);
    this.#images = new ImageEncoder(this.#scheduler, model, adapters, { disk, cacheBytes });
    this.#answering = {
      scheduler: this.#scheduler,
      prompts: this.#prompts,
      masks: new GrammarMasks(tokenizer, config.vocabSize, config.eosIds),
      images: this.#images,
      adapters,
      tokenizer,
      eosIds: config.eosIds,
      newEvidence: ({ imageTokens }) =>
        imageTokens === config.vision.imageTokens
          ? new EvidenceCollector(evidenceHeads(config, info.isDemo), config)
          : undefined,
      checkAlive: () => this.#checkAlive(),
    };
  }

  /**
   * @throws CogVLM2Error `model_not_found`, `file_not_found`, `invalid_checkpoint`, `engine_unavailable`,
   * `invalid_value`, `out_of_memory`, `aborted`.
   */
  static async load(options: LoadOptions = {}): Promise<CogVLM2> {
    const { signal, onProgress, device, threads } = options;
    const { path } = await findModel(options.model);
    const checkpoint = openCheckpoint(path);
    const tokenizer = tokenizerOf(checkpoint);
    const adapters = new LoadedAdapters(options);
    const model = await asAborted(signal, () =>
      Model.load(checkpoint, {
        compute: options.compute ?? 'auto',
        adapters: adapters.byName,
        onLoad: (done, total) => onProgress?.({ stage: 'load', done, total }),
        ...(options.parallel !== undefined && { parallel: options.parallel }),
        ...(device !== undefined && { device }),
        ...(threads !== undefined && { threads }),
        ...(options.contextSize !== undefined && { contextSize: options.contextSize }),
        ...(options.kvTokens !== undefined && { kvTokens: options.kvTokens }),
        ...(options.imageSize !== undefined && { imageSize: options.imageSize }),
        ...(signal && { signal }),
      }),
    );
    try {
      const disk = openDiskCache(checkpoint, model.config, options);
      const imageCache = typeof disk === 'string' ? `off: ${disk}` : disk.files.directory;
      const described = describeModel(checkpoint, model, options.contextSize);
      const info = { ...described, adapters: adapters.info, imageCache };
      const beside = { disk: typeof disk === 'string' ? null : disk, adapters };
      return new CogVLM2(model, tokenizer, info, beside, options);
    } catch (error) {
      model[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Decodes and encodes an image (or a video, with a video model) for several questions.
   * @throws CogVLM2Error for an image that cannot be read
   */
  async encodeImage(source: VisualSource, options: WorkOptions = {}): Promise<EncodedImage> {
    this.#checkAlive();
    const adapter = this.#adapters.check(options.adapter);
    const image = await this.#images.read(source, options.template, options.signal);
    this.#checkAlive();
    return this.#images.encode(image, adapter, options.onProgress ?? (() => {}), options.signal);
  }

  /**
   * Asks one question, about an image or (null) without one. Encodes the image if necessary.
   * @throws (through the stream) CogVLM2Error `context_length_exceeded`, `invalid_value`, `queue_full`, and those of
   * `encodeImage`.
   */
  ask(
    image: EncodedImage | VisualSource | null,
    question: string,
    options: GenerateOptions = {},
  ): AnswerStream {
    return this.#answer({ image, question, options });
  }

  #answer(question: Question): AnswerStream {
    return new AnswerStream((emit, left) => {
      const { signal } = question.options;
      const stopped = signal ? AbortSignal.any([signal, left]) : left;
      return answerQuestion(this.#answering, question, emit, stopped);
    });
  }

  /**
   * Reads a value of the schema's type from an image. The schema is enforced during sampling.
   * @throws CogVLM2Error `invalid_json_schema` if it cannot be enforced, `answer_incomplete` if maxTokens or the context
   * cut the answer, `answer_rejected` if a refinement refuses it, `aborted`, and those of `ask`.
   */
  async extract<S extends z.ZodType>(
    image: EncodedImage | VisualSource | null,
    schema: S,
    options: ExtractOptions = {},
  ): Promise<Extraction<z.output<S>>> {
    const { question = 'Read the picture.', ...rest } = options;
    const format = formatOf(schema);
    const answer = await this.ask(image, askForJson(question, format.schema), { ...rest, format }).result();
    return readValue(schema, answer);
  }

  /**
   * Reads an object from an image with one question per field: the field's description, or "What is the NAME?". The
   * image is read and encoded once, and the questions run in one batch. Prefer it to `extract` for small models, and for values
   * that a person checks one by one.
   * @throws CogVLM2Error as `extract`
   */
  async extractFields<S extends z.ZodObject>(
    image: EncodedImage | VisualSource,
    schema: S,
    options: FieldOptions = {},
  ): Promise<FieldExtraction<z.output<S>>> {
    const fields = fieldsOf(schema);
    this.#checkAlive();
    const read =
      image instanceof EncodedImage
        ? image
        : await this.#images.read(image, options.template, options.signal);
    const failed = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
    const ask = async ({ name, question, format }: (typeof fields)[number]) => {
      const asked = { ...options, signal, ...(format && { format }) };
      return [name, await this.#answer({ image: read, question, options: asked }).result()] as const;
    };
    try {
      const answers = Object.fromEntries(await Promise.all(fields.map(ask)));
      return { value: objectOf(schema, fields, answers), answers };
    } catch (error) {
      failed.abort(); // one field failed, so the other answers are not needed
      throw error;
    }
  }

  /** A conversation, about an image or (null) without one. */
  chat(image: EncodedImage | VisualSource | null = null, history: readonly Turn[] = []): Conversation {
    return new Conversation(this.#answering, image, history);
  }

  /**
   * Checks a question like `ask` and returns its size, without running the model.
   * @param frameTexts for a video, the text after each frame; default: one frame without text
   * @throws CogVLM2Error `invalid_value`, `invalid_json_schema`, `context_length_exceeded`.
   */
  check(
    hasImage: boolean,
    question: string,
    options: GenerateOptions = {},
    frameTexts?: readonly string[],
  ): PromptSize {
    this.#adapters.check(options.adapter);
    return sizeOf(this.#prompts.prepare(hasImage, question, options, frameTexts));
  }

  /** `check` in steps that do not block the event loop, for long prompts and large schemas. @throws as `check` */
  async checkInBackground(
    hasImage: boolean,
    question: string,
    options: GenerateOptions = {},
    frameTexts?: readonly string[],
  ): Promise<PromptSize> {
    this.#adapters.check(options.adapter);
    return sizeOf(await this.#prompts.prepareInBackground(hasImage, question, options, frameTexts));
  }

  /** `tokenize` that encodes a long text in a thread. */
  async tokenizeInBackground(text: string): Promise<number[]> {
    await this.#tokenizer.encodeAhead(text);
    return this.tokenize(text);
  }

  /** The ids of a text, without special tokens. */
  tokenize(text: string): number[] {
    return this.#tokenizer.encode(text);
  }

  /** The text of ids, without special tokens. @throws CogVLM2Error `invalid_value` for an id beyond the vocabulary. */
  detokenize(ids: Iterable<number>): string {
    const all = [...ids];
    const { vocabSize } = this.#tokenizer;
    const unknown = all.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (unknown === undefined) return this.#tokenizer.decode(all);
    throw new CogVLM2Error('invalid_value', `${unknown} is no token; their ids are 0 to ${vocabSize - 1}.`);
  }

  /** Current counts. Cheap to read. */
  stats(): Stats {
    const { states, limits, kvTokens, visionBlocks, decodeSteps, tokens } = this.#scheduler;
    return {
      running: states.encoding + states.prefilling + states.decoding,
      waiting: states.queued,
      states,
      slots: limits.sequences,
      kvTokensRunning: kvTokens.inUse,
      kvTokensUsed: kvTokens.allocated,
      kvTokens: limits.kvTokens,
      imageCacheBytes: this.#images.cacheBytes,
      gpuMemory: this.#model.engine.gpuMemory(),
      visionBlocks,
      decodeSteps,
      tokensGenerated: tokens,
    };
  }

  /** Frees all native memory after the current step. Pending answers fail with `disposed`. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#scheduler.rejectQueued(disposedError());
    this.#model[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw disposedError();
  }
}

/** @returns the reason if there is no cache */
function openDiskCache(
  checkpoint: Checkpoint,
  config: ModelConfig,
  { imageCache, compute }: LoadOptions,
): DiskCache | string {
  if (imageCache === false) return 'turned off';
  if (compute === 'f32') return 'this model computes in float32, and the cache holds float16';
  if (!imageCache?.always && !isWorthCaching(config, checkpoint))
    return 'this model encodes an image about as fast as a file is read';
  const files = DiskImageCache.open(imageCache);
  if (typeof files === 'string') return files;
  const known = new Map<string, string>();
  const fingerprintOf = (adapterKey: string) => {
    const found = known.get(adapterKey) ?? visionFingerprint(checkpoint, adapterKey || undefined);
    known.set(adapterKey, found);
    return found;
  };
  return { files, fingerprintOf };
}

function sizeOf({ prompt, maxTokens, grammar }: PreparedRequest): PromptSize {
  const { ids, imageTokens } = prompt;
  return { promptTokens: ids.length, imageTokens, maxTokens, ignored: grammar?.ignored ?? [] };
}

function disposedError(): CogVLM2Error {
  return new CogVLM2Error('disposed', 'This model was disposed; load it again.');
}
