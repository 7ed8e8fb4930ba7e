/** A LoRA adapter in PEFT's format: a folder with adapter_config.json and adapter_model.safetensors. */

import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { isFloat } from '../../ggml/dtype.ts';
import { readCheckpointText } from '../read-file.ts';
import { readElements, readNumbers } from '../read-tensor.ts';
import { readSafetensors } from '../safetensors.ts';
import type { Checkpoint, TensorEntry } from '../types.ts';
import { type PeftConfig, parsePeftConfig } from './config.ts';

/** The low-rank matrices of one module: W' = W + scale * B A. */
export interface LoraModule {
  /** `embedding`: A is [r, vocab] and B [hidden, r], so W' = W + scale * (B A)^T. */
  kind: 'linear' | 'convolution' | 'embedding';
  rank: number;
  /** alpha / r, or alpha / sqrt(r) */
  scale: number;
  /** [r, in], or [r, in, kernel, kernel] of a convolution */
  a: TensorEntry;
  /** [out, r], or [out, r, 1, 1] */
  b: TensorEntry;
  /** [out], added as scale * bias */
  bias: TensorEntry | null;
  /** [out]; DoRA: each row of W' gets this length. */
  magnitude: TensorEntry | null;
}

export interface PeftAdapter {
  path: string;
  /** The base model, as the adapter's author named it; empty if not given. */
  baseModel: string;
  sizeBytes: number;
  /** By module path: a published tensor name without `.weight`. */
  modules: ReadonlyMap<string, LoraModule>;
  /** Tensors that replace those of the base model, by their published names (`modules_to_save` and biases). */
  replaced: ReadonlyMap<string, TensorEntry>;
}

/** An adapter and the factor of its change. */
export interface ScaledAdapter {
  adapter: PeftAdapter;
  scale: number;
}

const configName = 'adapter_config.json';
const weightsName = 'adapter_model.safetensors';
const pickleName = 'adapter_model.bin';

/**
 * Reads a PEFT folder: the configuration, and where the tensors lie.
 * @throws CogVLM2Error `file_not_found`; `invalid_checkpoint` naming the field or the tensor
 */
export function openAdapter(folder: string): PeftAdapter {
  const file = (name: string) => path.join(folder, name);
  if (!existsSync(folder)) throw new CogVLM2Error('file_not_found', `There is no adapter at ${folder}.`);
  if (!statSync(folder).isDirectory())
    throw invalid(folder, 'an adapter is a folder in PEFT format, not a file');
  if (!existsSync(file(configName)))
    throw invalid(folder, `it has no ${configName}, so it is not a PEFT adapter`);
  if (!existsSync(file(weightsName))) {
    throw invalid(
      folder,
      existsSync(file(pickleName))
        ? `${pickleName} is a pickle, which can run any program when it is read. Save the adapter as safetensors: model.save_pretrained(folder, safe_serialization=True)`
        : `it has no ${weightsName}`,
    );
  }
  const config = parsePeftConfig(readCheckpointText(file(configName)), file(configName));
  const entries = readSafetensors(file(weightsName));
  const { modules, replaced } = readKeys(entries, config, file(weightsName));
  const sizeBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  return { path: folder, baseModel: config.baseModel, sizeBytes, modules, replaced };
}

const prefix = 'base_model.model.';
const loraKey =
  /^(.+)\.(lora_A\.weight|lora_B\.weight|lora_B\.bias|lora_magnitude_vector|lora_embedding_A|lora_embedding_B)$/;
const baseLayerKey = /^(.+)\.base_layer\.(weight|bias)$/;

function readKeys(
  entries: readonly TensorEntry[],
  config: PeftConfig,
  file: string,
): Pick<PeftAdapter, 'modules' | 'replaced'> {
  const parts = new Map<string, Map<string, TensorEntry>>();
  const replaced = new Map<string, TensorEntry>();
  for (const entry of entries) {
    const { name, type } = entry;
    if (!isFloat(type)) throw invalid(file, `${name} is of type ${type}; f32, f16 and bf16 are supported`);
    if (!name.startsWith(prefix))
      throw invalid(file, `${name} is no key of a PEFT adapter: it does not begin with ${prefix}`);
    const key = name.slice(prefix.length);
    const [, modulePath, part] = loraKey.exec(key) ?? [];
    const [, layer, kind] = baseLayerKey.exec(key) ?? [];
    if (modulePath !== undefined && part !== undefined) {
      const known = parts.get(modulePath) ?? new Map<string, TensorEntry>();
      parts.set(modulePath, known.set(part, entry));
    } else if (key.includes('lora_')) throw invalid(file, `${name} is no key of a LoRA adapter`);
    // PEFT saves the base model's own weights of adapted embeddings and heads; only a bias is trained.
    else if (layer !== undefined && kind === 'weight') continue;
    else replaced.set(layer === undefined ? key : `${layer}.bias`, entry);
  }
  for (const module of config.modulesToSave) {
    const isStored = [...replaced.keys()].some((name) => `.${name}`.includes(`.${module}.`));
    if (!isStored)
      throw invalid(
        file,
        `the configuration's modules_to_save names ${module}, but no tensor of it is stored`,
      );
  }
  if (parts.size + replaced.size === 0) throw invalid(file, 'it has no tensor');
  const modules = new Map(
    Array.from(
      parts,
      ([modulePath, found]) => [modulePath, readModule(modulePath, found, config, file)] as const,
    ),
  );
  return { modules, replaced };
}

function readModule(
  modulePath: string,
  parts: ReadonlyMap<string, TensorEntry>,
  config: PeftConfig,
  file: string,
): LoraModule {
  const isEmbedding = parts.has('lora_embedding_A') || parts.has('lora_embedding_B');
  const [aName, bName] = isEmbedding
    ? ['lora_embedding_A', 'lora_embedding_B']
    : ['lora_A.weight', 'lora_B.weight'];
  const need = (name: string) => {
    const found = parts.get(name);
    if (found) return found;
    throw invalid(file, `${modulePath} has ${[...parts.keys()].join(' and ')}, but no ${name}`);
  };
  const [a, b] = [need(aName), need(bName)];
  const extra = (name: string, isWanted: boolean, field: string) => {
    if (isWanted) return need(name);
    const found = parts.get(name);
    if (found) throw invalid(file, `${found.name} is stored, but ${field} is not set in ${configName}`);
    return null;
  };
  const magnitude = extra('lora_magnitude_vector', config.usesDora, 'use_dora');
  const bias = extra('lora_B.bias', config.hasLoraBias && !isEmbedding, 'lora_bias');
  if (isEmbedding && parts.size > 2)
    throw invalid(
      file,
      `${modulePath} is an embedding; only lora_embedding_A and lora_embedding_B are supported for it, not ${[...parts.keys()].join(', ')}`,
    );
  const rank = a.shape[0] ?? 0;
  const wanted = config.rankOf(modulePath);
  if (rank !== wanted) throw invalid(file, `${a.name} has rank ${rank}, but ${configName} says ${wanted}`);
  const isConvolution = a.shape.length === 4;
  const bShape = isConvolution ? [b.shape[0], rank, 1, 1] : [b.shape[0], rank];
  if (
    ![2, 4].includes(a.shape.length) ||
    (isEmbedding && isConvolution) ||
    a.shape.includes(0) ||
    b.shape.includes(0)
  )
    throw invalid(file, `${a.name} is ${shapeText(a)}, which is not a low-rank matrix`);
  if (b.shape.join() !== bShape.join())
    throw invalid(
      file,
      `${b.name} is ${shapeText(b)}, but ${shapeText({ shape: bShape })} belongs to ${a.name} ${shapeText(a)}`,
    );
  const kind = isEmbedding ? 'embedding' : isConvolution ? 'convolution' : 'linear';
  return { kind, rank, scale: config.scaleOf(modulePath), a, b, bias, magnitude };
}

/**
 * Checks that every tensor of the adapter fits a tensor of the checkpoint.
 * @throws CogVLM2Error `invalid_checkpoint` naming the tensor and the shapes
 */
export function checkAdapter(adapter: PeftAdapter, { tensors, path: base }: Checkpoint): void {
  const trainedOn =
    adapter.baseModel === '' ? '' : ` It was trained on ${JSON.stringify(adapter.baseModel)}.`;
  const fail = (why: string) =>
    new CogVLM2Error(
      'invalid_checkpoint',
      `The adapter ${adapter.path} does not fit ${base}: ${why}.${trainedOn}`,
    );
  for (const [modulePath, { kind, a, b, bias, magnitude }] of adapter.modules) {
    const weight = tensors.get(`${modulePath}.weight`);
    if (!weight) throw fail(`${a.name} is stored, but the model has no ${modulePath}.weight`);
    const [rows = 0, ...columns] = weight.shape;
    const changed = kind === 'embedding' ? [a.shape[1], b.shape[0]] : [b.shape[0], ...a.shape.slice(1)];
    if (
      changed.join() !== weight.shape.join() ||
      (kind === 'embedding') !== modulePath.endsWith('embed_tokens')
    )
      throw fail(
        `${a.name} ${shapeText(a)} and ${b.name} ${shapeText(b)} cannot change ${weight.name} ${shapeText(weight)}`,
      );
    for (const vector of [bias, magnitude]) {
      const shapes = [`${rows}`, ...(vector === magnitude && columns.length > 1 ? [`1,${rows},1,1`] : [])];
      if (vector && !shapes.includes(vector.shape.join()))
        throw fail(`${vector.name} is ${shapeText(vector)}, but ${weight.name} has ${rows} rows`);
    }
  }
  for (const [name, stored] of adapter.replaced) {
    const own = tensors.get(name);
    if (!own) throw fail(`${stored.name} is stored, but the model has no ${name}`);
    if (own.shape.join() !== stored.shape.join())
      throw fail(`${stored.name} is ${shapeText(stored)}, but ${name} is ${shapeText(own)}`);
  }
}

/** Whether a tensor or module is used to encode images. */
const isOfImages = (name: string) => name.startsWith('model.vision.');

/** Whether the adapter changes encoded images. */
export function changesImages({ modules, replaced }: PeftAdapter): boolean {
  return [...modules.keys(), ...replaced.keys()].some(isOfImages);
}

/** A hash of the adapters' numbers and scales. @param part `images`: only of what changes encoded images */
export function adapterFingerprint(
  adapters: readonly ScaledAdapter[],
  part: 'all' | 'images' = 'all',
): string {
  const hash = createHash('sha256');
  const isWanted = (name: string) => part === 'all' || isOfImages(name);
  for (const { adapter, scale } of adapters) {
    for (const [name, module] of adapter.modules) {
      if (!isWanted(name)) continue;
      hash.update(`${name} ${module.kind} ${scale * module.scale}\n`);
      for (const entry of [module.a, module.b, module.bias, module.magnitude])
        if (entry) hashEntry(hash, entry);
    }
    for (const [name, entry] of adapter.replaced) {
      if (!isWanted(name)) continue;
      hash.update(`${name}\n`);
      hashEntry(hash, entry);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function hashEntry(hash: ReturnType<typeof createHash>, entry: TensorEntry): void {
  hash.update(`${entry.name} ${entry.type} ${entry.shape.join()}\n`);
  hash.update(new Uint8Array(readElements(entry)));
}

/** The numbers of a tensor, or of a part of it. @throws CogVLM2Error `invalid_checkpoint` for a NaN or an infinity */
export function finiteNumbers(entry: TensorEntry, start = 0, count?: number): Float32Array {
  const numbers = readNumbers(entry, start, count);
  if (numbers.every(Number.isFinite)) return numbers;
  throw new CogVLM2Error(
    'invalid_checkpoint',
    `${entry.file}: ${entry.name} contains a number that is not finite.`,
  );
}

function invalid(place: string, why: string): CogVLM2Error {
  return new CogVLM2Error('invalid_checkpoint', `${place}: ${why}.`);
}

function shapeText({ shape }: { shape: readonly (number | undefined)[] }): string {
  return `[${shape.join(', ')}]`;
}

/** A PEFT folder, such as `./receipts`; `scale` multiplies its change. */
export type AdapterSource = string | { path: string; scale?: number };

/** @throws CogVLM2Error `file_not_found`, `invalid_checkpoint`, `invalid_value` for a scale that is not possible */
export function openAdapters(sources: readonly AdapterSource[]): ScaledAdapter[] {
  const adapters = sources.map((source) => {
    const { path, scale = 1 } = typeof source === 'string' ? { path: source } : source;
    if (!Number.isFinite(scale))
      throw new CogVLM2Error(
        'invalid_value',
        `The scale of the adapter ${path} is ${scale}, but it must be a number.`,
      );
    const adapter = openAdapter(path);
    const [whole] = adapter.replaced.keys();
    if (whole !== undefined && scale !== 1) {
      throw new CogVLM2Error(
        'invalid_value',
        `The adapter ${path} replaces ${whole}, which cannot be scaled by ${scale}; use it without a scale.`,
      );
    }
    return { adapter, scale };
  });
  checkTogether(adapters);
  return adapters;
}

/** The changes of several adapters are added. A replaced tensor, or a changed length (DoRA), cannot be added to another change. */
function checkTogether(adapters: readonly ScaledAdapter[]): void {
  const changed = new Map<string, { adapter: PeftAdapter; isSum: boolean }>();
  for (const { adapter } of adapters) {
    const changes = [
      ...Array.from(adapter.modules, ([name, { magnitude }]) => ({
        name: `${name}.weight`,
        isSum: magnitude === null,
      })),
      ...Array.from(adapter.replaced.keys(), (name) => ({ name, isSum: false })),
    ];
    for (const { name, isSum } of changes) {
      const other = changed.get(name);
      if (other && other.adapter !== adapter && !(isSum && other.isSum)) {
        throw new CogVLM2Error(
          'invalid_value',
          `The adapters ${other.adapter.path} and ${adapter.path} both change ${name}, and one of them replaces it or uses DoRA, so their changes cannot be added.`,
        );
      }
      changed.set(name, { adapter, isSum });
    }
  }
}
