/** Random weights in the published layout, of any size. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { AtomicFile, writeFileWhole } from '../src/atomic-file.ts';
import { randomFrom } from '../src/generate/random.ts';
import { type PublishedConfig, tensorShapes } from './published-layout.ts';
import { randomTokenizer } from './random-tokenizer.ts';

/** The published shards have at most 5 GB. */
const shardBytes = 5e9;
/** Odd, so that the rows of a matrix begin at other places of it. */
const blockElements = 2 ** 23 + 1;
const pieceElements = 2 ** 21;

/** Writes config, tokenizer, shards and their index into `folder`. @throws CogVLM2Error `write_failed`. */
export function writeRandomCheckpoint(
  folder: string,
  config: PublishedConfig,
  onProgress: (doneBytes: number, totalBytes: number) => void = () => {},
): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => writeFileWhole(path.join(folder, name), text);
  write('config.json', JSON.stringify(config, null, 1));
  write('tokenizer.json', randomTokenizer(config.vocab_size));
  write('tokenizer_config.json', JSON.stringify({ clean_up_tokenization_spaces: true }));
  const shards = planShards(tensorShapes(config));
  const file = (i: number) => `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
  const total = shards.flat().reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
  const values = new RandomValues();
  let done = 0;
  for (const [i, tensors] of shards.entries()) {
    writeShard(path.join(folder, file(i)), tensors, values, (bytes) => {
      done += bytes;
      onProgress(done, total);
    });
  }
  const places = shards.flatMap((tensors, i) => tensors.map(({ name }) => [name, file(i)] as const));
  const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(places) };
  write('model.safetensors.index.json', JSON.stringify(index, null, 1));
}

interface Planned {
  name: string;
  shape: readonly number[];
  elements: number;
  sizeBytes: number;
}

/** Tensors in order, a new shard where the last one would become too large. */
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

function writeShard(
  file: string,
  tensors: readonly Planned[],
  values: RandomValues,
  onBytes: (bytes: number) => void,
): void {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const { name, shape, sizeBytes } of tensors) {
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + sizeBytes] };
    offset += sizeBytes;
  }
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  using out = new AtomicFile(file);
  out.write(length);
  out.write(text);
  for (const tensor of tensors) {
    for (const piece of values.of(tensor)) {
      out.write(piece);
      onBytes(piece.length);
    }
  }
  out.commit();
}

/**
 * Numbers for a tensor, from one block of them: drawn afresh, 19 billion would take an hour. Each piece begins
 * somewhere else in the block, and a matrix's block is scaled to its number of columns, so that activations stay
 * about as large as they came in; the tower's norms, which scale what is added 126 times, are small.
 */
class RandomValues {
  readonly #random = randomFrom(1);
  readonly #blocks = new Map<string, Uint8Array>();

  *of({ name, shape, elements }: Planned): Generator<Uint8Array> {
    if (name.endsWith('inv_freq')) {
      const table = Float32Array.from({ length: elements }, (_, i) => 500_000 ** (-i / elements));
      return yield toBf16(table);
    }
    const columns = shape.slice(1).reduce((product, axis) => product * axis, 1);
    const isNorm = /norm\d?\.weight$/.test(name);
    const center = isNorm ? (name.includes('transformer') ? 0.2 : 1) : 0;
    const deviation =
      columns > 1 && !/embed|boi|eoi/.test(name) ? 1 / Math.sqrt(columns) : isNorm ? center / 10 : 0.02;
    const block = this.#block(center, name.includes('embed') ? 1 : deviation);
    for (let at = 0; at < elements; at += pieceElements) {
      const count = Math.min(pieceElements, elements - at);
      const start = Math.floor(this.#random() * (blockElements - count));
      yield block.subarray(start * 2, (start + count) * 2);
    }
  }

  #block(center: number, deviation: number): Uint8Array {
    const key = `${center} ${deviation}`;
    let block = this.#blocks.get(key);
    if (block === undefined) {
      // Evenly spread over what has this deviation.
      const width = deviation * Math.sqrt(12);
      const random = this.#random;
      block = toBf16(Float32Array.from({ length: blockElements }, () => center + (random() - 0.5) * width));
      this.#blocks.set(key, block);
    }
    return block;
  }
}

/** The upper half of each float32. */
function toBf16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
}

function number(count: number): string {
  return String(count).padStart(5, '0');
}
