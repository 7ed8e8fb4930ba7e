/**
 * The memory that a model needs on each device, before any is allocated. `cogvlm2 plan` and the check before a load use the same
 * numbers. Pure functions: devices are names and free bytes.
 */
import type { Processor } from '../ggml/engine.ts';
import { leavesRoom } from '../ggml/packed-weights.ts';
import type { AttentionKernel } from '../kernels/attention.ts';
import { gigabytes } from '../messages.ts';
import { mostChunkRows } from './chunks.ts';
import { type ModelConfig, towerRows } from './config.ts';
import { layerTokenBytes } from './kv-cache.ts';
import {
  nothingOnGpu,
  type PartName,
  type PartSizes,
  type Placement,
  partNames,
  placeParts,
  sumOf,
} from './parts.ts';
import { towerTileRows } from './vision-tower.ts';

export interface MemoryDemand {
  config: ModelConfig;
  sizes: PartSizes;
  /** Tokens of one sequence. */
  contextSize: number;
  /** Capacity of all KV caches together, in tokens. */
  kvTokens: number;
  /** Everything in float32, in allocated memory instead of a mapped file. */
  isFloat32: boolean;
  /** Weights are unpacked into allocated memory. */
  unpacked?: boolean;
  /** null: ggml's attention */
  attention?: AttentionKernels;
  /** Packed copies that are made while the layer before runs: bytes of the largest two layers. 0 on a GPU. */
  packedAhead?: { tower: number; 'vision experts': number };
  /** Bytes of the weights that the CPU would keep in packed form; see `KeptWeights`. */
  packableBytes: number;
}

export interface AttentionKernels {
  tower: AttentionKernel | null;
  decoder: AttentionKernel | null;
}

export interface Room {
  name: string;
  freeBytes: number;
}

export interface MemoryPlan {
  placement: Placement;
  parts: { name: PartName; sizeBytes: number; layers: number; layersOnGpu: number }[];
  contextSize: number;
  kvTokens: number;
  cacheBytes: number;
  towerScratchBytes: number;
  decoderScratchBytes: number;
  /**
   * Packed copies of language weights on the CPU, which make decoding faster. They are made only if twice their size is free,
   * so `neededBytes` does not include them.
   */
  packedCopies: { sizeBytes: number; kept: boolean };
  devices: { name: string; place: Processor; neededBytes: number; freeBytes: number }[];
  /** A sentence with the numbers if the model does not fit; otherwise null. */
  problem: string | null;
}

/** @param gpu null to use the CPU alone */
export function planMemory(demand: MemoryDemand, cpu: Room, gpu: Room | null): MemoryPlan {
  const { config, sizes, contextSize, kvTokens, isFloat32, unpacked = false, packableBytes } = demand;
  const { tower = null, decoder = null } = demand.attention ?? {};
  const layerCacheBytes = layerTokenBytes(config, isFloat32, decoder) * kvTokens;
  const packedAhead = demand.packedAhead ?? { tower: 0, 'vision experts': 0 };
  const towerScratch = towerScratchBytes(config, isFloat32, tower) + packedAhead.tower;
  const decoderScratch = decoderScratchBytes(config, contextSize, decoder) + packedAhead['vision experts'];
  const companions = {
    cacheBytes: layerCacheBytes,
    towerScratchBytes: towerScratch,
    decoderScratchBytes: decoderScratch,
  };
  const placement = gpu ? placeParts(sizes, companions, gpu.freeBytes * gpuShare) : nothingOnGpu;
  const bytesOn = (processor: Processor, part: PartName) =>
    sumOf(processor === 'gpu' ? sizes[part].slice(0, placement[part]) : sizes[part].slice(placement[part]));
  const cachedLayers = {
    gpu: placement['language experts'],
    cpu: config.layers - placement['language experts'],
  };
  const scratch = Math.max(towerScratch, decoderScratch);
  const hasParts = partNames.some((part) => placement[part] > 0);
  const gpuBytes = hasParts
    ? sumOf(partNames.map((part) => bytesOn('gpu', part))) + cachedLayers.gpu * layerCacheBytes + scratch
    : 0;
  const stages = cpuStages.map((parts) => sumOf(parts.map((part) => bytesOn('cpu', part))));
  // The system can evict pages of a mapped file after their stage; it cannot evict copies.
  const cpuWeights =
    isFloat32 || unpacked ? sumOf(partNames.map((part) => bytesOn('cpu', part))) : Math.max(...stages);
  const cpuCache = cachedLayers.cpu * layerCacheBytes;
  const cpuBytes = cpuWeights + cpuCache + scratch;
  return {
    placement,
    parts: partNames.map((name) => ({
      name,
      sizeBytes: sumOf(sizes[name]),
      layers: sizes[name].length,
      layersOnGpu: placement[name],
    })),
    contextSize,
    kvTokens,
    cacheBytes: layerCacheBytes * config.layers,
    towerScratchBytes: towerScratch,
    decoderScratchBytes: decoderScratch,
    packedCopies: {
      sizeBytes: packableBytes,
      kept: packableBytes > 0 && leavesRoom(packableBytes, cpu.freeBytes),
    },
    devices: [
      ...(gpu ? [{ ...gpu, place: 'gpu' as const, neededBytes: gpuBytes }] : []),
      { ...cpu, place: 'cpu', neededBytes: cpuBytes },
    ],
    problem:
      cpuBytes <= cpu.freeBytes
        ? null
        : `This needs ${gigabytes(cpuBytes)} of memory at once (${gigabytes(cpuWeights)} of weights, ${gigabytes(cpuCache)} of keys and values for ${kvTokens} tokens, ${gigabytes(scratch)} of scratch space), but ${gigabytes(cpu.freeBytes)} are free. A model of a smaller type (cogvlm2 convert --type int4) or a smaller --context needs less.`,
  };
}

/** The driver and other programs need some of the memory that a GPU reports as free. */
const gpuShare = 0.93;

/** The parts that the CPU reads in one stage: encoding an image, running image rows, and text. */
const cpuStages: readonly (readonly PartName[])[] = [
  ['tower', 'adapter'],
  ['vision experts', 'embeddings'],
  ['language experts', 'embeddings', 'lm_head'],
];

/** For alignment and for ggml's copies of activations in other types, which the formulas leave out. */
const margin = 1.25;

/** The residual stream, queries, keys and values of all patches; one tile's activations. */
function towerScratchBytes(
  { vision }: ModelConfig,
  isFloat32: boolean,
  kernel: AttentionKernel | null,
): number {
  const { hiddenSize: d, intermediateSize: m, patchSize } = vision;
  const n = towerRows(vision);
  const rows = Math.min(towerTileRows, n);
  const keysValues = kernel
    ? kernel.packedBytes(1, n) + kernel.scratchBytes
    : 2 * d * n * (isFloat32 ? 4 : 2);
  const states = d * n * (4 + 4) + keysValues;
  const embedding = 4 * n * (3 * patchSize * patchSize + 3 * d);
  const tile = 4 * rows * (2 * m + 10 * d);
  return margin * (states + Math.max(embedding, tile));
}

/** One chunk's activations and mask, the attention kernel's scratch, the logits, and one image's tokens. */
function decoderScratchBytes(
  config: ModelConfig,
  contextSize: number,
  kernel: AttentionKernel | null,
): number {
  const { hiddenSize: h, intermediateSize: m, vocabSize, vision } = config;
  const attention = 2 * mostChunkRows * contextSize + (kernel?.scratchBytes ?? 0);
  const chunk = 4 * mostChunkRows * (3 * m + 10 * h) + attention;
  return margin * (chunk + 8 * vocabSize + 4 * h * vision.imageTokens);
}
