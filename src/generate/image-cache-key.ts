/** Which images are the same to the disk cache, and for which models it is worth its files. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFileBytes } from '../checkpoint/read-file.ts';
import type { Checkpoint, TensorEntry } from '../checkpoint/types.ts';
import type { ModelConfig } from '../model/config.ts';
import { adapterCost, partBytes, towerCost } from '../model/cost.ts';
import { partOf } from '../model/parts.ts';
import { checksum } from './disk-image-cache.ts';

/** Raised when the same pixels and weights give other tokens than before. */
const version = 1;

/** Tensors whose first bytes are read; spread over the tower and the adapter. */
const sampledTensors = 32;
const sampledBytes = 256;

/**
 * Tells apart the weights that an image meets. Sizes and times of the files tell most changes; types and shapes another
 * conversion; samples of the weights a fine-tuned model with the same files' sizes and times. A moved file keeps it.
 * @param adapter fingerprint of adapted weights (LoRA) that the image meets, where there are any
 */
export function visionFingerprint(checkpoint: Checkpoint, adapter?: string): string {
  const hash = createHash('sha256').update(
    JSON.stringify([version, checkpoint.texts['config.json'], adapter]),
  );
  const vision = [...checkpoint.tensors.values()].filter(({ name }) => {
    const { part } = partOf(name);
    return part === 'tower' || part === 'adapter';
  });
  for (const file of [...new Set(vision.map((tensor) => tensor.file))].sort()) {
    const { size, mtimeNs } = statSync(file, { bigint: true });
    hash.update(`${size} ${mtimeNs}\n`);
  }
  for (const { name, type, shape, packed } of vision)
    hash.update(`${JSON.stringify([name, type, shape, packed?.quantType])}\n`);
  const step = Math.max(1, Math.ceil(vision.length / sampledTensors));
  for (let i = 0; i < vision.length; i += step) hash.update(sampleOf(vision[i]!));
  return hash.digest('hex');
}

function sampleOf(tensor: TensorEntry): Uint8Array {
  const { packed, shape, sizeBytes } = tensor;
  // Two 4-bit codes a byte.
  const storedBytes = packed ? Math.floor(shape.reduce((product, axis) => product * axis, 1) / 2) : sizeBytes;
  const sample = new Uint8Array(Math.min(sampledBytes, storedBytes));
  readFileBytes(packed?.codes ?? tensor, 0, sample);
  return sample;
}

/** @param pixels [3, imageSize, imageSize], as the tower reads them */
export async function imageCacheKey(
  fingerprint: string,
  imageSize: number,
  pixels: Float32Array,
): Promise<string> {
  const head = Buffer.from(`${fingerprint} ${imageSize}\n`);
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return (await checksum(head, bytes)).toString('hex');
}

/** A fast machine for arithmetic, a slow one for files: where the cache is used, it is faster nearly everywhere. */
const assumedFlopPerSecond = 1e12;
const assumedBytesPerSecond = 1e8;
const assumedFileMs = 10;

/**
 * Whether an entry is read in less time than its image is encoded in, on assumed machines: 10^12 operations a second
 * for encoding; 10 ms and 100 MB/s for the file.
 */
export function isWorthCaching(config: ModelConfig, checkpoint: Checkpoint): boolean {
  const bytes = partBytes(checkpoint.tensors.values());
  const costs = [towerCost(config, bytes), adapterCost(config, bytes)];
  const flop = costs.reduce((sum, cost) => sum + cost.linearFlop + cost.attentionFlop, 0);
  const encodeMs = (1000 * flop) / assumedFlopPerSecond;
  const readMs = assumedFileMs + (1000 * entryBytes(config)) / assumedBytesPerSecond;
  return encodeMs > readMs;
}

/** Bytes of one image's tokens on disk. */
export function entryBytes({ hiddenSize, vision }: ModelConfig): number {
  return 2 * hiddenSize * vision.imageTokens;
}
