/** Writes random weights in the published layout, in any size. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { padding, writeGgufHeader } from '../src/checkpoint/gguf.ts';
import {
  type PublishedConfig,
  type PublishedLayout,
  tensorShapes,
} from '../src/checkpoint/published-layout.ts';
import { writeSafetensorsHeader } from '../src/checkpoint/safetensors.ts';
import { type PresetName, planTypes } from '../src/checkpoint/type-preset.ts';
import { AtomicFile, writeFileWhole } from '../src/files/writing.ts';
import { randomTokenizer } from './random-tokenizer.ts';
import { RandomValues } from './random-values.ts';

/** Maximum size of a published shard: 5 GB. */
const shardBytes = 5e9;

type OnProgress = (doneBytes: number, totalBytes: number) => void;

/**
 * Writes config, tokenizer, bf16 shards and their index into `folder`.
 * @throws CogVLM2Error `write_failed`.
 */
export async function writeRandomCheckpoint(
  folder: string,
  { config, family }: PublishedLayout,
  onProgress: OnProgress = () => {},
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => writeFileWhole(path.join(folder, name), text);
  for (const [name, text] of textsOf(config)) write(name, text);
  const shards = planShards(tensorShapes(config, family));
  const file = (i: number) => `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
  const total = shards.flat().reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
  const values = new RandomValues();
  let done = 0;
  for (const [i, tensors] of shards.entries()) {
    await writeShard(path.join(folder, file(i)), tensors, values, (bytes) => {
      done += bytes;
      onProgress(done, total);
    });
  }
  const places = shards.flatMap((tensors, i) => tensors.map(({ name }) => [name, file(i)] as const));
  const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(places) };
  write('model.safetensors.index.json', JSON.stringify(index, null, 1));
}

/**
 * Writes the same as one GGUF file, each tensor in the type of `convert --type`, without the intermediate 39 GB.
 * @throws CogVLM2Error `write_failed`.
 */
export async function writeRandomGguf(
  file: string,
  { config, family }: PublishedLayout,
  preset: PresetName,
  onProgress: OnProgress = () => {},
): Promise<void> {
  const entries = planShards(tensorShapes(config, family)).flat();
  const located = entries.map((entry) => ({ ...entry, type: 'bf16' as const, file: '', offsetBytes: 0 }));
  const plan = planTypes(located, preset).map(({ type, sizeBytes }, i) => ({
    ...entries[i]!,
    type,
    sizeBytes,
  }));
  const total = plan.reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
  const values = new RandomValues();
  let done = 0;
  using out = new AtomicFile(file);
  writeGgufHeader(out, path.basename(file, '.gguf'), textsOf(config), plan);
  for (const tensor of plan) {
    for await (const piece of values.of(tensor, tensor.type)) {
      out.write(piece);
      done += piece.length;
      onProgress(done, total);
    }
    out.write(Buffer.alloc(padding(tensor.sizeBytes)));
  }
  out.commit();
}

function textsOf(config: PublishedConfig): [string, string][] {
  return [
    ['config.json', JSON.stringify(config, null, 1)],
    ['tokenizer.json', randomTokenizer(config.vocab_size)],
    ['tokenizer_config.json', JSON.stringify({ clean_up_tokenization_spaces: true })],
  ];
}

/** A tensor of the layout in bf16. */
interface Planned {
  name: string;
  shape: readonly number[];
  elements: number;
  sizeBytes: number;
}

/** Assigns tensors to shards in order. A new shard begins before the current one becomes too large. */
export function planShards(shapes: ReadonlyMap<string, readonly number[]>): Planned[][] {
  const shards: Planned[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [name, shape] of shapes) {
    const elements = shape.reduce((product, axis) => product * axis, 1);
    const sizeBytes = elements * 2;
    if (bytes + sizeBytes > shardBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)?.push({ name, shape, elements, sizeBytes });
    bytes += sizeBytes;
  }
  return shards;
}

async function writeShard(
  file: string,
  tensors: readonly Planned[],
  values: RandomValues,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const { name, shape, sizeBytes } of tensors) {
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + sizeBytes] };
    offset += sizeBytes;
  }
  using out = new AtomicFile(file);
  writeSafetensorsHeader(out, header);
  for (const tensor of tensors) {
    for await (const piece of values.of(tensor, 'bf16')) {
      out.write(piece);
      onBytes(piece.length);
    }
  }
  out.commit();
}

function number(count: number): string {
  return String(count).padStart(5, '0');
}
