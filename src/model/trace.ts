import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { type AdapterSource, openAdapters } from '../checkpoint/peft/adapter.ts';
import { readIntegers, readNumbers } from '../checkpoint/read-tensor.ts';
import { type NamedArray, readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import type { TensorEntry } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import type { TensorSet } from '../ggml/engine.ts';
import { positionsOf, visionExpertRows } from '../text/prompt.ts';
import type { PromptRows } from './chunks.ts';
import { Model } from './cogvlm2.ts';
import type { ModelConfig } from './config.ts';

export interface TraceOptions {
  checkpoint: string;
  /** safetensors with `image` [3, S, S] or `video` [frames, 3, S, S] and, for each NAME, `NAME.input_ids` and `NAME.token_type_ids` [L]. */
  input: string;
  output: string;
  compute: 'auto' | 'stored' | 'f32';
  /** LoRA adapters that run without a merge. */
  adapter?: readonly AdapterSource[];
  onProgress?: (progress: { stage: 'load' | 'vision' | 'prefill'; done: number; total: number }) => void;
  signal?: AbortSignal;
}

/** Greedy tokens after each prompt: as many as in the goldens. */
const greedyTokens = 12;

/**
 * Writes every intermediate tensor of the model for given inputs, under the names of the goldens, for comparison with
 * another implementation.
 * @throws CogVLM2Error naming the input that does not fit
 */
export async function traceCheckpoint(
  options: TraceOptions,
): Promise<{ tensors: number; outputBytes: number }> {
  const { signal, onProgress } = options;
  const checkpoint = openCheckpoint(options.checkpoint);
  const inputs = new Map(readSafetensors(options.input).map((entry) => [entry.name, entry]));
  if (inputs.has('video') && inputs.has('image')) {
    throw new CogVLM2Error(
      'invalid_value',
      `${options.input} has the tensors "image" and "video"; a trace is of one of them. Remove the other.`,
    );
  }
  using model = await Model.load(checkpoint, {
    compute: options.compute,
    adapters: new Map([['', openAdapters(options.adapter ?? [])]]),
    onLoad: (done, total) => onProgress?.({ stage: 'load', done, total }),
    ...(signal && { signal }),
  });
  const trace = new Trace(model.config);
  const frames = inputs.get('video') ?? inputs.get('image');
  using state = frames ? await traceFrames(model, trace, frames, options) : null;
  for (const name of promptNames(inputs)) {
    await tracePrompt(model, trace, name, readPrompt(inputs, name, model.config), state, options);
  }
  const arrays = trace.arrays();
  return { tensors: arrays.length, outputBytes: writeSafetensors(options.output, arrays) };
}

/** Encodes the image, or each frame of the video. @returns the image tokens of all, one frame after the other */
async function traceFrames(
  model: Model,
  trace: Trace,
  input: TensorEntry,
  { signal, onProgress }: TraceOptions,
): Promise<TensorSet<'imageTokens'>> {
  const { imageSize } = model.config.vision;
  const one = [3, imageSize, imageSize];
  const count = input.name === 'video' ? (input.shape[0] ?? 0) : 1;
  checkShape(input, input.name === 'video' ? [count, ...one] : one);
  const pixels = readNumbers(input);
  trace.add(input.name, pixels, input.shape);
  return model.encodeImage(pixels, {
    signal,
    onLayer: (done, total) => onProgress?.({ stage: 'vision', done, total }),
    tap: (name, data) => trace.vision(name, data, input.name === 'video' ? count : null),
  });
}

async function tracePrompt(
  model: Model,
  trace: Trace,
  name: string,
  prompt: PromptRows,
  image: TensorSet<'imageTokens'> | null,
  { signal, onProgress }: TraceOptions,
): Promise<void> {
  const length = prompt.ids.length;
  const imageRows = image?.get('imageTokens').shape[1] ?? 0;
  const asked = prompt.tokenTypes.filter((type) => type === 1).length;
  if (asked > imageRows) {
    const has = imageRows === 0 ? 'no tensor "image" or "video"' : `${imageRows} of them`;
    throw new CogVLM2Error('invalid_value', `${name} has ${asked} image tokens, but the input has ${has}.`);
  }
  using cache = model.newCache(length + greedyTokens);
  trace.integers(`${name}.input_ids`, prompt.ids);
  trace.integers(`${name}.token_type_ids`, prompt.tokenTypes);
  trace.integers(`${name}.position_ids`, prompt.positions);
  const rows = (tensor: string, data: Float32Array) => trace.rows(`${name}.${tensor}`, data);
  await model.prefill(prompt, cache, {
    image,
    logits: 'all',
    tap: rows,
    signal,
    onTokens: (done, total) => onProgress?.({ stage: 'prefill', done, total }),
  });
  const ids: number[] = [];
  let logits = trace.lastRow(`${name}.logits`);
  const lastPosition = prompt.positions.at(-1) ?? 0;
  for (let i = 0; i < greedyTokens; i++) {
    signal?.throwIfAborted();
    const best = logits.reduce((top, value, id) => (value > (logits[top] ?? 0) ? id : top), 0);
    ids.push(best);
    logits = await model.step(best, lastPosition + 1 + i, cache);
    rows('greedy_logits', logits);
  }
  trace.integers(`${name}.greedy_ids`, ids);
}

/** Collects tensors. Chunks of rows with the same name become one tensor. */
class Trace {
  readonly #config: ModelConfig;
  readonly #parts = new Map<string, { parts: Float32Array[]; shape: readonly number[] }>();
  readonly #others: NamedArray[] = [];

  constructor(config: ModelConfig) {
    this.#config = config;
  }

  add(name: string, data: Float32Array, shape: readonly number[]): void {
    this.#others.push({ name, data, shape });
  }

  integers(name: string, values: Iterable<number>): void {
    const data = BigInt64Array.from(values, BigInt);
    this.#others.push({ name, data, shape: [data.length] });
  }

  /** @param frames how many frames a video has; null for an image, whose tensors have no axis for it */
  vision(name: string, data: Float32Array, frames: number | null): void {
    const width = name === 'vision.output' ? this.#config.hiddenSize : this.#config.vision.hiddenSize;
    const rows = data.length / width;
    this.#append(name, data, frames === null ? [rows, width] : [frames, rows, width]);
  }

  rows(name: string, data: Float32Array): void {
    const width = name.endsWith('logits') ? this.#config.vocabSize : this.#config.hiddenSize;
    this.#append(name, data, [-1, width]);
  }

  /** @param shape of the whole tensor; -1 for an axis that the data decides */
  #append(name: string, data: Float32Array, shape: readonly number[]): void {
    const known = this.#parts.get(name);
    if (known) known.parts.push(data);
    else this.#parts.set(name, { parts: [data], shape });
  }

  lastRow(name: string): Float32Array {
    const part = this.#parts.get(name);
    return part?.parts.at(-1)?.slice(-(part.shape.at(-1) ?? 0)) ?? new Float32Array(0);
  }

  arrays(): NamedArray[] {
    const joined = [...this.#parts].map(([name, { parts, shape }]) => {
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      const data = new Float32Array(length);
      let at = 0;
      for (const part of parts) {
        data.set(part, at);
        at += part.length;
      }
      const rows = length / (shape.at(-1) ?? 1);
      return { name, data, shape: shape.map((size) => (size < 0 ? rows : size)) };
    });
    return [...this.#others, ...joined];
  }
}

function promptNames(inputs: ReadonlyMap<string, TensorEntry>): string[] {
  const suffix = '.input_ids';
  return [...inputs.keys()]
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length));
}

function readPrompt(inputs: ReadonlyMap<string, TensorEntry>, name: string, config: ModelConfig): PromptRows {
  const read = (part: string) => {
    const entry = inputs.get(`${name}.${part}`);
    if (entry?.type !== 'i64' || entry.shape.length !== 1) {
      throw new CogVLM2Error('invalid_value', `The input needs ${name}.${part} as I64 [length].`);
    }
    return readIntegers(entry);
  };
  const [ids, types] = [read('input_ids'), read('token_type_ids')];
  const images = types.filter((type) => type === 1).length;
  const wrong = ids.find((id) => id < 0 || id >= config.vocabSize);
  const limit = config.maxPositions - greedyTokens;
  const problem =
    ids.length !== types.length
      ? `${ids.length} ids and ${types.length} token types`
      : wrong !== undefined
        ? `the id ${wrong}; the vocabulary has ${config.vocabSize}`
        : images % config.vision.imageTokens !== 0
          ? `${images} image tokens; an image of this model has ${config.vision.imageTokens}`
          : ids.length === 0 || ids.length > limit
            ? `${ids.length} tokens; 1 to ${limit} can be traced`
            : undefined;
  if (problem) throw new CogVLM2Error('invalid_value', `${name} has ${problem}.`);
  const tokenTypes = Uint8Array.from(types);
  const positions = positionsOf(tokenTypes);
  return { ids: Int32Array.from(ids), tokenTypes, positions, visionRows: visionExpertRows(tokenTypes) };
}

function checkShape(entry: TensorEntry, shape: readonly number[]): void {
  if (entry.shape.join() === shape.join()) return;
  throw new CogVLM2Error(
    'invalid_value',
    `${entry.name} is [${entry.shape.join(', ')}], but the checkpoint takes [${shape.join(', ')}].`,
  );
}
