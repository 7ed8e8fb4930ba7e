import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import type { DType } from '../ggml/dtype.ts';
import { readGguf } from './gguf.ts';
import { readSafetensors } from './safetensors.ts';

/** Where one tensor lies on disk. */
export interface TensorEntry {
  name: string;
  type: DType;
  /** PyTorch's order: rows first, the last axis is the fastest. */
  shape: readonly number[];
  file: string;
  /** From the beginning of the file. */
  offsetBytes: number;
  sizeBytes: number;
}

/** A model on disk: its texts read, its tensors only located. */
export interface Checkpoint {
  /** The folder, or the .gguf file. */
  path: string;
  name: string;
  format: 'safetensors' | 'gguf';
  /** The contents of the published JSON files. Only config.json is always there. */
  texts: CheckpointTexts;
  tensors: ReadonlyMap<string, TensorEntry>;
}

export interface CheckpointTexts {
  'config.json': string;
  'generation_config.json'?: string;
  'tokenizer.json'?: string;
  'tokenizer_config.json'?: string;
}

/** The texts beside the tensors, in both formats under the same names. */
export const textNames = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
] as const;

/**
 * Opens a folder in the published layout (config.json and safetensors, sharded or not) or one of our GGUF files.
 * @throws CogVLM2Error `file_not_found`, or `invalid_checkpoint` naming the file and the tensor.
 */
export function openCheckpoint(location: string): Checkpoint {
  if (!existsSync(location)) throw new CogVLM2Error('file_not_found', `There is no model at ${location}.`);
  if (statSync(location).isFile()) return readGguf(location);
  const file = (name: string) => path.join(location, name);
  if (!existsSync(file('config.json'))) {
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${location} has no config.json, so it is not a checkpoint.`,
    );
  }
  const texts: CheckpointTexts = { 'config.json': readFileSync(file('config.json'), 'utf8') };
  for (const name of textNames) if (existsSync(file(name))) texts[name] = readFileSync(file(name), 'utf8');
  const tensors = new Map<string, TensorEntry>();
  const wanted = readIndex(location);
  for (const shard of wanted.shards) {
    for (const entry of readSafetensors(file(shard))) {
      if (tensors.has(entry.name)) {
        throw new CogVLM2Error(
          'invalid_checkpoint',
          `${entry.name} is in ${shard} and in another file of ${location}.`,
        );
      }
      tensors.set(entry.name, entry);
    }
  }
  for (const [name, shard] of wanted.shardOf) {
    if (tensors.get(name)?.file !== file(shard)) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${name} is not in ${shard}, where the index of ${location} has it.`,
      );
    }
  }
  return {
    path: location,
    name: path.basename(path.resolve(location)),
    format: 'safetensors',
    texts,
    tensors,
  };
}

/** The safetensors files of a folder, and what the index, if there is one, says of each tensor's place. */
function readIndex(location: string): { shards: string[]; shardOf: Map<string, string> } {
  const indexPath = path.join(location, 'model.safetensors.index.json');
  if (!existsSync(indexPath)) {
    if (existsSync(path.join(location, 'model.safetensors')))
      return { shards: ['model.safetensors'], shardOf: new Map() };
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${location} has neither model.safetensors nor model.safetensors.index.json.`,
    );
  }
  const shardOf = new Map<string, string>();
  try {
    const index: unknown = JSON.parse(readFileSync(indexPath, 'utf8'));
    const map =
      typeof index === 'object' && index !== null && 'weight_map' in index ? index.weight_map : undefined;
    if (typeof map !== 'object' || map === null) throw new Error('it has no weight_map');
    for (const [name, shard] of Object.entries(map)) {
      if (typeof shard !== 'string' || path.basename(shard) !== shard)
        throw new Error(`${name} has no file name`);
      shardOf.set(name, shard);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CogVLM2Error('invalid_checkpoint', `${indexPath} cannot be used: ${why}.`, { cause });
  }
  return { shards: [...new Set(shardOf.values())].sort(), shardOf };
}
