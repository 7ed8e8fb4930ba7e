import type { z } from 'zod';
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint.ts';
import { findModel } from '../checkpoint/find.ts';
import { CogVLM2Error } from '../errors.ts';
import { GrammarMasks } from '../grammar/masks.ts';
import type { ImageSource } from '../image/source.ts';
import { Model } from '../model/cogvlm2.ts';
import type { ModelConfig } from '../model/config.ts';
import { EncodedImage } from '../model/encoded-image.ts';
import { defaultParallel } from '../model/kv-budget.ts';
import type { Span } from '../text/positions.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { AnswerStream, type Emit } from './answer-stream.ts';
import { Batch } from './batch.ts';
import { tokenizerOf } from './check-model.ts';
import { Conversation } from './conversation.ts';
import { DiskImageCache, type DiskImageCacheOptions } from './disk-image-cache.ts';
import { askForJson, type Extraction, type ExtractOptions, formatOf, readValue } from './extract.ts';
import { generate, type PromptImage, prepare, type Request } from './generate.ts';
import { isWorthCaching, visionFingerprint } from './image-cache-key.ts';
import { type KvOptions, kvLimits } from './kv-limits.ts';
import { describeModel, type ModelInfo } from './model-info.ts';
import { asAborted, type DiskCache, Pictures } from './pictures.ts';
import { commonPrefix } from './prefix.ts';
import { Slots } from './slots.ts';
import type { Answer, GenerateOptions, Progress, Turn } from './types.ts';

export interface LoadOptions extends KvOptions {
  /** A folder in the published layout, a .gguf file, or a name that `listModels` gives. Default: the demo model. */
  model?: string;
  /** `auto` (the default), `cpu`, `gpu`, or the beginning of a device's name. */
  device?: string;
  /** Default: the physical cores. */
  threads?: number;
  /**
   * Side in pixels that pictures are resized to: a multiple of 28 below the model's own (for 14-pixel patches). The
   * position table is interpolated; the tower's cost falls with the square of it and more, and so does what is seen.
   */
  imageSize?: number;
  /** Most tokens of prompt and answer together. Default: what the model was made for. */
  contextSize?: number;
  /** `f32` computes everything in float32. `auto` uses the stored types, except where a model is so small that f32 is no slower. */
  compute?: 'auto' | 'f32';
  /** Most bytes of encoded images that stay in memory after their last use. Default: 256 MiB. */
  imageCacheBytes?: number;
  /**
   * Image tokens on disk, so that another process need not encode an image again. Absent: where encoding takes longer
   * than reading (not for the demonstration model, and not with `compute: 'f32'`, since the tokens are kept as f16).
   * `false`: never.
   */
  imageCache?: false | (DiskImageCacheOptions & { /** For every model. Default: false. */ always?: boolean });
  /**
   * One question at a time, ever. Four-bit weights are then faster on a CPU, at the price that a text need not be, to the last
   * token, what a model that answers several at once would write.
   */
  alone?: boolean;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** What several answers at once are doing. Counters only ever grow. */
export interface Stats {
  /** Questions being answered, and those that wait in line. */
  running: number;
  waiting: number;
  /** Most questions that can run together. */
  slots: number;
  /** Tokens that the KV caches have room for now, and may have. */
  kvTokensUsed: number;
  kvTokens: number;
  imageCacheBytes: number;
  /** Of the whole GPU, whichever programs use it; null on a CPU. */
  gpuMemory: { usedBytes: number; totalBytes: number } | null;
  /** Whole ones. */
  visionBlocks: number;
  decodeSteps: number;
  tokensGenerated: number;
}

/** What `check` finds: tokens of the whole prompt, those of them for the picture, and the most to answer with. */
export interface PromptSize {
  promptTokens: number;
  imageTokens: number;
  maxTokens: number;
  /** What of a JSON Schema decides nothing and was ignored, each with its place. */
  ignored: readonly string[];
}

interface WorkOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

const defaultImageCacheBytes = 256 * 2 ** 20;

/**
 * A loaded model. Several answers are made at once: their tokens in common steps, their pictures and prompts piece by
 * piece in between. What one says does not depend on the others. The KV caches are kept from one to the next, so that
 * a common beginning (the picture above all) is run once.
 */
export class CogVLM2 {
  readonly info: ModelInfo;
  readonly #model: Model;
  readonly #tokenizer: Tokenizer;
  readonly #masks: GrammarMasks;
  readonly #batch: Batch;
  readonly #slots: Slots;
  readonly #pictures: Pictures;
  #disposed = false;

  private constructor(
    model: Model,
    tokenizer: Tokenizer,
    info: ModelInfo,
    disk: DiskCache | null,
    options: LoadOptions,
  ) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.info = info;
    this.#masks = new GrammarMasks(tokenizer, model.config.vocabSize, model.config.eosIds);
    this.#batch = new Batch(model);
    const limits = kvLimits(options.alone ? { ...options, parallel: 1 } : options, info.contextSize, model);
    this.#slots = new Slots(limits, (capacity) => model.newCache(capacity));
    const memoryBytes = options.imageCacheBytes ?? defaultImageCacheBytes;
    this.#pictures = new Pictures(this.#batch, model, disk, memoryBytes);
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
    const model = await asAborted(signal, () =>
      Model.load(checkpoint, {
        compute: options.compute ?? 'auto',
        parallel: options.alone ? 1 : (options.parallel ?? defaultParallel),
        onLoad: (done, total) => onProgress?.({ stage: 'load', done, total }),
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
      const info = { ...describeModel(checkpoint, model, options.contextSize), imageCache };
      return new CogVLM2(model, tokenizer, info, typeof disk === 'string' ? null : disk, options);
    } catch (error) {
      model[Symbol.dispose]();
      throw error;
    }
  }

  /** Decodes and encodes a picture, to ask about it often. @throws CogVLM2Error for a picture that cannot be read. */
  async encodeImage(source: ImageSource, options: WorkOptions = {}): Promise<EncodedImage> {
    this.#checkAlive();
    const picture = await this.#pictures.read(source, options.signal);
    this.#checkAlive();
    return this.#pictures.encode(picture, options.onProgress ?? (() => {}), options.signal);
  }

  /**
   * One question, with a picture or (null) without. A picture that is not encoded yet is.
   * @throws (through the stream) CogVLM2Error `context_length_exceeded`, `invalid_value`, `queue_full`, and those of
   * `encodeImage`.
   */
  ask(
    image: EncodedImage | ImageSource | null,
    question: string,
    options: GenerateOptions = {},
  ): AnswerStream {
    return this.#answer({ question, history: [], options }, () => image);
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
    const conversation: Conversation = new Conversation(
      (question, turns, options, done) =>
        this.#answer({ question, history: turns, options }, () => conversation.image ?? image, {
          keep: (encoded) => conversation.keep(encoded),
          done: (answer) => {
            if (answer.text !== '') done({ question, answer: answer.text });
          },
        }),
      history,
    );
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
    const { prompt, maxTokens, grammar } = this.#prepare(hasImage, request);
    const imageTokens = prompt.image === null ? 0 : prompt.image.end - prompt.image.start;
    return { promptTokens: prompt.ids.length, imageTokens, maxTokens, ignored: grammar?.ignored ?? [] };
  }

  /** The ids of a text; no special tokens are added. */
  tokenize(text: string): number[] {
    return this.#tokenizer.encode(text);
  }

  /** The text of ids; special tokens are left out. @throws CogVLM2Error `invalid_value` for an id beyond the vocabulary. */
  detokenize(ids: Iterable<number>): string {
    const all = [...ids];
    const { vocabSize } = this.#tokenizer;
    const unknown = all.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (unknown === undefined) return this.#tokenizer.decode(all);
    throw new CogVLM2Error('invalid_value', `${unknown} is no token; their ids are 0 to ${vocabSize - 1}.`);
  }

  /** Cheap: read as often as you like. */
  stats(): Stats {
    const { running, waiting, limits, kvTokens: kvTokensUsed } = this.#slots;
    const { visionBlocks, decodeSteps, tokens: tokensGenerated } = this.#batch;
    return {
      running,
      waiting,
      slots: limits.slots,
      kvTokensUsed,
      kvTokens: limits.kvTokens,
      imageCacheBytes: this.#pictures.cacheBytes,
      gpuMemory: this.#model.engine.gpuMemory(),
      visionBlocks,
      decodeSteps,
      tokensGenerated,
    };
  }

  /** Frees all native memory as soon as the step that is running is done. Pending answers fail with `disposed`. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#slots.rejectAll(disposedError());
    this.#model[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #prepare(hasImage: boolean, request: Request) {
    return prepare(this.#model.config, this.#tokenizer, this.info.contextSize, hasImage, request);
  }

  #answer(
    request: Request,
    image: () => EncodedImage | ImageSource | null,
    { keep, done }: Partial<Afterwards> = {},
  ): AnswerStream {
    return new AnswerStream(async (emit, left) => {
      this.#checkAlive();
      const startedAt = performance.now();
      const outer = request.options.signal;
      const signal = outer ? AbortSignal.any([outer, left]) : left;
      const source = image();
      const prepared = this.#prepare(source !== null, request);
      const { grammar } = prepared;
      const mask =
        grammar && (await asAborted(signal, () => this.#masks.start(grammar, prepared.answerStart, signal)));
      const picture =
        source === null || source instanceof EncodedImage
          ? source
          : await this.#pictures.read(source, signal);
      const { prompt, maxTokens } = prepared;
      const imageKey = picture?.contentKey ?? null;
      const { client = '' } = request.options;
      const tokens = prompt.ids.length + maxTokens;
      using lease = await this.#slots.acquire({ client, prompt, imageKey, tokens, signal });
      await this.#slots.share(lease);
      this.#checkAlive();
      const shown: Emit = (event) => {
        emit(event);
        if (event.type === 'progress' && event.progress.stage === 'prefill') lease.onProgress(event.progress);
      };
      const isHeld =
        prompt.image !== null && commonPrefix(lease.slot.rows, prompt, imageKey) >= prompt.image.end;
      let encoded: EncodedImage | null = null;
      if (picture !== null && !(picture instanceof EncodedImage) && (keep || !isHeld)) {
        const onProgress = (progress: Progress) => emit({ type: 'progress', progress });
        encoded = await this.#pictures.encode(picture, onProgress, signal);
        keep?.(encoded);
      }
      try {
        const answer = await generate(
          this.#batch,
          this.#tokenizer,
          lease.slot,
          promptImage(picture instanceof EncodedImage ? picture : encoded, prompt.image, imageKey),
          prepared,
          mask,
          shown,
          signal,
          startedAt,
        );
        if (picture !== null && 'readMs' in picture)
          answer.timings.imageMs = encoded?.imageMs ?? picture.readMs;
        answer.timings.visionMs = encoded?.visionMs ?? 0;
        if (picture !== null) {
          answer.warnings = [...this.#pictures.warningsOf(picture)];
          // An image that the caller encoded is in memory, unless the KV cache has its rows already.
          const own = picture instanceof EncodedImage ? 'memory' : (encoded?.origin ?? 'prefix');
          answer.imageOrigin = isHeld ? 'prefix' : own;
        }
        done?.(answer);
        return answer;
      } finally {
        if (!keep) encoded?.dispose();
      }
    });
  }

  #checkAlive(): void {
    if (this.#disposed) throw disposedError();
  }
}

/** What a conversation does with its picture, and with an answer that is complete. */
interface Afterwards {
  keep: (encoded: EncodedImage) => void;
  done: (answer: Answer) => void;
}

/** The picture for the prompt; without its rows, where the slot has them already. */
function promptImage(
  encoded: EncodedImage | null,
  span: Span | null,
  contentKey: string | null,
): PromptImage | null {
  if (encoded || !span || contentKey === null) return encoded;
  return { contentKey, imageTokens: span.end - span.start, state: null };
}

/** @returns why there is none, where there is none */
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
  return typeof files === 'string' ? files : { files, fingerprint: visionFingerprint(checkpoint) };
}

function disposedError(): CogVLM2Error {
  return new CogVLM2Error('disposed', 'This model was disposed; load it again.');
}
