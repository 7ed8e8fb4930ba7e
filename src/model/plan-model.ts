import { type Checkpoint, isPacked } from '../checkpoint/types.ts';
import { CogVLM2Error } from '../errors.ts';
import { findDevice } from '../ggml/devices.ts';
import { dtypes } from '../ggml/dtype.ts';
import { defaultThreads } from '../ggml/engine.ts';
import { Packing } from '../ggml/packing.ts';
import { toShape } from '../ggml/tensor.ts';
import { AttentionKernel } from '../kernels/attention.ts';
import { kernelsFor } from '../kernels/library.ts';
import { type ModelConfig, parseConfig, withImageSize } from './config.ts';
import { defaultKvTokens, defaultParallel, layerTokenBytes } from './kv-cache.ts';
import { type Adapters, adapterTensors, checkAdapters } from './lora.ts';
import { type AttentionKernels, type MemoryPlan, planMemory } from './memory-plan.ts';
import { measureParts, type PartName, partOf, sumOf } from './parts.ts';

export interface PlanOptions {
  /** See `findDevice`; the default is `auto`. */
  device?: string;
  /** Limit for the GPU's memory. Default: the free memory. */
  gpuBytes?: number;
  /** Tokens of one sequence. Default: the model's own limit. */
  contextSize?: number;
  /** Maximum number of concurrent sequences. With 1, batch-invariant kernels are not needed. Default: 8. */
  parallel?: number;
  /** Capacity of all KV caches together, in tokens. Default: see `defaultKvTokens`; one context if only that fits. */
  kvTokens?: number;
  /** Side of the square that images are resized to. Default: the model's own. See `withImageSize`. */
  imageSize?: number;
  /**
   * `stored` computes in the types of the checkpoint, `f32` everything in float32, for comparison with a reference. `auto` (the
   * default) is `f32` if the model is so small that this is no slower.
   */
  compute?: 'auto' | 'stored' | 'f32';
  /** See `EngineOptions`. */
  threads?: number;
  /** LoRA adapters that run without a merge. */
  adapters?: Adapters;
}

export interface PlannedModel {
  config: ModelConfig;
  isFloat32: boolean;
  threads: number;
  /** Attention by our kernels; null: by ggml. */
  attention: AttentionKernels;
  plan: MemoryPlan;
}

/**
 * Plans how to load a checkpoint on this machine with its free memory. Allocates nothing.
 * @throws CogVLM2Error `invalid_checkpoint`, `invalid_value`, `engine_unavailable`.
 */
export function planModel(checkpoint: Checkpoint, options: PlanOptions): PlannedModel {
  const trained = parseConfig(checkpoint.texts['config.json'], checkpoint.path, checkpoint.tensors);
  const config = options.imageSize === undefined ? trained : withImageSize(trained, options.imageSize);
  const { adapters = new Map() } = options;
  checkAdapters(checkpoint, adapters);
  const compute = options.compute ?? 'auto';
  const isFloat32 =
    compute === 'f32' || (compute === 'auto' && isSmall(checkpoint) && !isQuantized(checkpoint));
  const { device } = findDevice(options.device ?? 'auto');
  const cpu = findDevice('cpu').device;
  const contextSize = checkContext(config, options.contextSize);
  const parallel = options.parallel ?? defaultParallel;
  const threads = options.threads ?? (isSmall(checkpoint) ? 1 : defaultThreads());
  const { vision } = config;
  const found = isFloat32 ? null : kernelsFor(device);
  const attention: AttentionKernels = {
    tower: AttentionKernel.for(found, { ...vision, kvHeads: vision.heads }, threads),
    decoder: AttentionKernel.for(found, config, threads),
  };
  const demand = {
    config,
    sizes: measureParts([...checkpoint.tensors.values(), ...adapterTensors(adapters)], { isFloat32 }),
    contextSize,
    isFloat32,
    attention,
    unpacked: isPacked(checkpoint),
    packedAhead: {
      tower: device.kind === 'cpu' ? packedAheadBytes(checkpoint, 'tower') : 0,
      'vision experts': device.kind === 'cpu' ? packedAheadBytes(checkpoint, 'vision experts') : 0,
    },
    packableBytes: device.kind === 'cpu' && !isFloat32 ? packableBytes(checkpoint, parallel === 1) : 0,
  };
  const planWith = (kvTokens: number) =>
    planMemory(
      { ...demand, kvTokens },
      { name: cpu.name, freeBytes: cpu.memoryFreeBytes },
      device.kind === 'cpu'
        ? null
        : { name: device.name, freeBytes: Math.min(device.memoryFreeBytes, options.gpuBytes ?? Infinity) },
    );
  const tokenBytes = config.layers * layerTokenBytes(config, isFloat32, attention.decoder);
  const plan = planWith(options.kvTokens ?? defaultKvTokens(contextSize, parallel, tokenBytes));
  const isTooLarge = plan.problem !== null && options.kvTokens === undefined;
  return { config, isFloat32, threads, attention, plan: isTooLarge ? planWith(contextSize) : plan };
}

/** Packed copies of the matrices that every token reads. `DecoderRunner` decides by the same rule for loaded tensors. */
function packableBytes({ tensors }: Checkpoint, isSingleSequence: boolean): number {
  const packing = new Packing(findDevice('cpu').pointer);
  const language = [...tensors.values()].filter(({ name, shape }) => {
    const { part } = partOf(name);
    return shape.length === 2 && (part === 'language experts' || part === 'lm_head');
  });
  const layouts = language.map(({ type, shape }) =>
    packing.layoutOf({ type, shape: toShape(shape.toReversed(), type) }, 'any rows'),
  );
  return sumOf(
    layouts.map((layout) => (layout && (layout.batchInvariant || isSingleSequence) ? layout.sizeBytes : 0)),
  );
}

/** Packed copies of two layers, the running one and the next, as `PackedPass` makes them. */
function packedAheadBytes({ tensors }: Checkpoint, wanted: PartName): number {
  const packing = new Packing(findDevice('cpu').pointer);
  const layers: number[] = [];
  for (const { name, type, shape } of tensors.values()) {
    const { part, layer } = partOf(name);
    if (part !== wanted || shape.length !== 2) continue;
    const layout = packing.layoutOf({ type, shape: toShape(shape.toReversed(), type) }, 'many rows');
    layers[layer] = (layers[layer] ?? 0) + (layout?.sizeBytes ?? 0);
  }
  return 2 * Math.max(0, ...layers.filter((bytes) => bytes !== undefined));
}

/** @throws CogVLM2Error `invalid_value` with the limits. */
export function checkContext({ maxPositions }: ModelConfig, wanted = maxPositions): number {
  if (Number.isInteger(wanted) && wanted >= 1 && wanted <= maxPositions) return wanted;
  throw new CogVLM2Error(
    'invalid_value',
    `The context must be a whole number of tokens from 1 to ${maxPositions} for this model; got ${wanted}.`,
  );
}

/**
 * A smaller model is kept in float32, where its products are as fast as in bf16 and its answers equal the reference's. It runs on
 * one thread: its steps are so short that threads spend more time in waiting than they save, and more than ten times as much
 * when other programs use the cores.
 */
const smallModelBytes = 256 * 2 ** 20;

function isSmall({ tensors }: Checkpoint): boolean {
  return [...tensors.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= smallModelBytes;
}

function isQuantized({ tensors }: Checkpoint): boolean {
  return [...tensors.values()].some(({ type }) => dtypes[type].block > 1);
}
