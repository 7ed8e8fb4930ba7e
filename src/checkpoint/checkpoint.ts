import { closeSync, existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { dtypes, isFloat } from '../ggml/dtype.ts';
import { cachedVicuna, hasVicunaVocabulary } from '../hub/needed-files.ts';
import { joinPacked } from './bitsandbytes.ts';
import { readGguf } from './gguf.ts';
import { openWeights, readCheckpointText } from './read-file.ts';
import { asTensor, readStored, type StoredTensor } from './safetensors.ts';
import { tokenizerJsonOf } from './sentencepiece.ts';
import type { Checkpoint, CheckpointTexts } from './types.ts';

/**
 * Opens a folder in the published layout (config.json and safetensors, sharded or not, packed by
 * bitsandbytes or not) or one of our GGUF files.
 * @throws CogVLM2Error `file_not_found`, or `invalid_checkpoint` naming the file and the tensor.
 */
export function openCheckpoint(location: string): Checkpoint {
  if (!existsSync(location)) throw new CogVLM2Error('file_not_found', `There is no model at ${location}.`);
  if (!statSync(location).isDirectory()) return checkTensors(readGguf(location));
  const file = (name: string) => path.join(location, name);
  if (!existsSync(file('config.json'))) {
    throw new CogVLM2Error(
      'invalid_checkpoint',
      `${location} has no config.json, so it is not a checkpoint.`,
    );
  }
  const texts: CheckpointTexts = { 'config.json': readCheckpointText(file('config.json')) };
  for (const name of ['generation_config.json', 'tokenizer_config.json'] as const)
    if (existsSync(file(name))) texts[name] = readCheckpointText(file(name));
  const tokenizer = readTokenizerJson(location);
  if (tokenizer !== undefined) texts['tokenizer.json'] = tokenizer;
  const stored = new Map<string, StoredTensor>();
  const wanted = readIndex(location);
  for (const shard of wanted.shards) {
    for (const entry of readStored(file(shard))) {
      if (stored.has(entry.name)) {
        throw new CogVLM2Error(
          'invalid_checkpoint',
          `${entry.name} is in ${shard} and in another file of ${location}.`,
        );
      }
      stored.set(entry.name, entry);
    }
  }
  for (const [name, shard] of wanted.shardOf) {
    if (stored.get(name)?.file !== file(shard)) {
      throw new CogVLM2Error(
        'invalid_checkpoint',
        `${name} is not in ${shard}, where the index of ${location} has it.`,
      );
    }
  }
  return checkTensors({
    path: location,
    name: path.basename(path.resolve(location)),
    format: 'safetensors',
    texts,
    tensors: new Map(Array.from(joinPacked(stored), ([name, tensor]) => [name, asTensor(tensor)])),
  });
}

/** ggml aborts the process for integer weights and for weights without elements, so both are refused here. */
function checkTensors(checkpoint: Checkpoint): Checkpoint {
  for (const { name, type, shape, file } of checkpoint.tensors.values()) {
    const fail = (why: string) => new CogVLM2Error('invalid_checkpoint', `${name} in ${file} ${why}.`);
    if (!isFloat(type) && dtypes[type].block === 1)
      throw fail(`is of type ${type.toUpperCase()}; weights are floating-point numbers`);
    if (shape.length < 1 || shape.length > 4) throw fail(`has ${shape.length} axes; weights have 1 to 4`);
    if (shape.includes(0)) throw fail(`is [${shape.join(', ')}], which has no elements`);
  }
  return checkpoint;
}

/** The safetensors files of a folder, and each tensor's file according to the index, if there is one. */
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
    const index: unknown = JSON.parse(readCheckpointText(indexPath));
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

/**
 * The tokenizer.json of a checkpoint's folder: the file itself, or the conversion of tokenizer.model. For a CogVLM 1 without
 * either, the one of Vicuna in Hugging Face's cache. Undefined if there is none.
 * @throws CogVLM2Error `invalid_checkpoint`, `file_not_found`
 */
function readTokenizerJson(folder: string): string | undefined {
  const own = tokenizerIn(folder);
  if (own !== undefined || !hasVicunaVocabulary(folder)) return own;
  const vicuna = cachedVicuna(process.env);
  return vicuna === undefined ? undefined : tokenizerIn(vicuna);
}

function tokenizerIn(folder: string): string | undefined {
  const json = path.join(folder, 'tokenizer.json');
  if (existsSync(json)) return readCheckpointText(json);
  const model = path.join(folder, 'tokenizer.model');
  if (!existsSync(model)) return undefined;
  const descriptor = openWeights(model);
  try {
    return tokenizerJsonOf(readFileSync(descriptor), model);
  } finally {
    closeSync(descriptor);
  }
}

/** The error for a folder without a tokenizer, with the remedy. */
export function tokenizerMissing(folder: string): CogVLM2Error {
  const remedy = hasVicunaVocabulary(folder)
    ? ' CogVLM 1 uses the tokenizer of Vicuna: run "cogvlm2 pull" with the name of the model, or copy tokenizer.model of lmsys/vicuna-7b-v1.5 into the folder.'
    : '';
  return new CogVLM2Error(
    'invalid_checkpoint',
    `${folder} has no tokenizer.json or tokenizer.model, so it can neither read nor write text.${remedy}`,
  );
}
