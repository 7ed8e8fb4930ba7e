import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { type AdapterSource, openAdapters } from '../checkpoint/peft/source.ts';
import { readIntegers, readNumbers } from '../checkpoint/read-tensor.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import { type NamedArray, writeSafetensors } from '../checkpoint/safetensors-writer.ts';
import type { TensorEntry } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import { positionsOf, visionExpertRows } from '../text/prompt.ts';
import type { PromptRows } from './chunks.ts';
import { Model } from './cogvlm2.ts';
import type { ModelConfig } from './config.ts';
import type { State } from './state.ts';

export interface TraceOptions {
  checkpoint: string;
  /** safetensors with `image` [3, S, S] and, for each NAME, `NAME.input_ids` and `NAME.token_type_ids` [L]. */
  input: string;
  output: string;
  compute: 'auto' | 'stored' | 'f32';
  /** LoRA adapters beside the weights. */
  adapter?: readonly AdapterSource[];
  onProgress?: (progress: { stage: 'load' | 'vision' | 'prefill'; done: number; total: number }) => void;
  signal?: AbortSignal;
}

/** Greedy tokens after each prompt: as many as the goldens hold. */
const greedyTokens = 12;

/**
 * Writes every intermediate tensor of the model for given inputs, under the names of the goldens, for comparison with
 * another implementation.
 * @throws CogVLM2Error that names the input that does not fit
 */
export async function traceCheckpoint(
  options: TraceOptions,
): Promise<{ tensors: number; outputBytes: number }> {
  const { signal, onProgress } = options;
  const checkpoint = openCheckpoint(options.checkpoint);
  const inputs = new Map(readSafetensors(options.input).map((entry) => [entry.name, entry]));
  using model = await Model.load(checkpoint, {
    compute: options.compute,
    adapters: new Map([['', openAdapters(options.adapter ?? [])]]),
    onLoad: (done, total) => onProgress?.({ stage: 'load', done, total }),
    ...(signal && { signal }),
  });
  const trace = new Trace(model.config);
  const image = inputs.get('image');
  let state: State<'imageTokens'> | undefined;
  if (image) {
    const { imageSize } = model.config.vision;
    checkShape(image, [3, imageSize, imageSize]);
    const pixels = readNumbers(image);
    trace.add('image', pixels, image.shape);
    const onLayer = (done: number, total: number) => onProgress?.({ stage: 'vision', done, total });
    state = await model.encodeImage(pixels, {
      signal,
      onLayer,
      tap: (name, data) => trace.vision(name, data),
    });
  }
  for (const name of promptNames(inputs)) {
    await tracePrompt(model, trace, name, readPrompt(inputs, name, model.config), state, options);
  }
  const arrays = trace.arrays();
  return { tensors: arrays.length, outputBytes: writeSafetensors(options.output, arrays) };
}

async function tracePrompt(
  model: Model,
  trace: Trace,
  name: string,
  prompt: PromptRows,
  image: State<'imageTokens'> | undefined,
  { signal, onProgress }: TraceOptions,
): Promise<void> {
  const length = prompt.ids.length;
  if (prompt.tokenTypes.includes(1) && !image) {
    throw new CogVLM2Error('invalid_value', `${name} has image tokens, but the input has no tensor "image".`);
  }
  using cache = model.newCache(length + greedyTokens);
  trace.integers(`${name}.input_ids`, prompt.ids);
  trace.integers(`${name}.token_type_ids`, prompt.tokenTypes);
  trace.integers(`${name}.position_ids`, prompt.positions);
  const rows = (tensor: string, data: Float32Array) => trace.rows(`${name}.${tensor}`, data);
  await model.prefill(prompt, cache, {
    image: image ?? null,
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
  readonly #parts = new Map<string, { parts: Float32Array[]; width: number }>();
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

  vision(name: string, data: Float32Array): void {
    const width = name === 'vision.output' ? this.#config.hiddenSize : this.#config.vision.hiddenSize;
    this.add(name, data, [data.length / width, width]);
  }

  rows(name: string, data: Float32Array): void {
    const width = name.endsWith('logits') ? this.#config.vocabSize : this.#config.hiddenSize;
    const known = this.#parts.get(name);
    if (known) known.parts.push(data);
    else this.#parts.set(name, { parts: [data], width });
  }

  lastRow(name: string): Float32Array {
    const part = this.#parts.get(name);
    return part?.parts.at(-1)?.slice(-part.width) ?? new Float32Array(0);
  }

  arrays(): NamedArray[] {
    const joined = [...this.#parts].map(([name, { parts, width }]) => {
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      const data = new Float32Array(length);
      let at = 0;
      for (const part of parts) {
        data.set(part, at);
        at += part.length;
      }
      return { name, data, shape: [length / width, width] };
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
        : images !== 0 && images !== config.vision.imageTokens
          ? `${images} image tokens; this model's images are ${config.vision.imageTokens}`
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
