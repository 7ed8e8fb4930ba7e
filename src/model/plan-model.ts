import { type Checkpoint, isPacked } from '../checkpoint/checkpoint.ts';
import { CogVLM2Error } from '../errors.ts';
import { findDevice } from '../ggml/devices.ts';
import { dtypes } from '../ggml/dtype.ts';
import { Packing } from '../ggml/packing.ts';
import { toShape } from '../ggml/tensor.ts';
import { type ModelConfig, parseConfig, withImageSize } from './config.ts';
import { type MemoryPlan, planMemory } from './memory-plan.ts';
import { measureParts, partOf, sumOf } from './parts.ts';

export interface PlanOptions {
  /** See `findDevice`; the default is `auto`. */
  device?: string;
  /** Most of the GPU's memory to use. Default: what is free. */
  gpuBytes?: number;
  /** Tokens of one sequence. Default: what the model was made for. */
  contextSize?: number;
  /** Tokens that all KV caches together have room for. Default: one context. */
  kvTokens?: number;
  /** Side of the square that pictures are resized to; the model's own when absent. See `withImageSize`. */
  imageSize?: number;
  /**
   * `stored` computes in the types of the checkpoint, `f32` everything in float32, for comparison with a
   * reference. `auto` (the default) is `f32` where the model is so small that this is no slower.
   */
  compute?: 'auto' | 'stored' | 'f32';
  /**
   * Whether there is never more than one sequence. Then nothing must come out to the bit as it would beside others, and
   * language weights can be packed in every type and text run in large chunks: up to twice as fast on a CPU.
   */
  oneSequence?: boolean;
}

export interface PlannedModel {
  config: ModelConfig;
  exact: boolean;
  plan: MemoryPlan;
}

/**
 * How a checkpoint would be loaded on this machine as it is now. Nothing is allocated.
 * @throws CogVLM2Error `invalid_checkpoint`, `invalid_value`, `engine_unavailable`.
 */
export function planModel(checkpoint: Checkpoint, options: PlanOptions): PlannedModel {
  const trained = parseConfig(checkpoint.texts['config.json'], checkpoint.path);
  const config = options.imageSize === undefined ? trained : withImageSize(trained, options.imageSize);
  const compute = options.compute ?? 'auto';
  const exact = compute === 'f32' || (compute === 'auto' && isSmall(checkpoint) && !isQuantised(checkpoint));
  const { device } = findDevice(options.device ?? 'auto');
  const cpu = findDevice('cpu').device;
  const contextSize = checkContext(config, options.contextSize);
  const plan = planMemory(
    {
      config,
      sizes: measureParts(checkpoint.tensors.values(), { exact }),
      contextSize,
      kvTokens: options.kvTokens ?? contextSize,
      exact,
      unpacked: isPacked(checkpoint),
      packableBytes:
        device.kind === 'cpu' && !exact ? packableBytes(checkpoint, options.oneSequence ?? false) : 0,
    },
    { name: cpu.name, freeBytes: cpu.memoryFreeBytes },
    device.kind === 'cpu'
      ? null
      : { name: device.name, freeBytes: Math.min(device.memoryFreeBytes, options.gpuBytes ?? Infinity) },
  );
  return { config, exact, plan };
}

/** Of the matrices that every token reads. The decoder, which has them as tensors, asks the same of each. */
function packableBytes({ tensors }: Checkpoint, oneSequence: boolean): number {
  const packing = new Packing(findDevice('cpu').pointer);
  const language = [...tensors.values()].filter(({ name, shape }) => {
    const { part } = partOf(name);
    return shape.length === 2 && (part === 'language experts' || part === 'lm_head');
  });
  const layouts = language.map(({ type, shape }) =>
    packing.layoutOf({ type, shape: toShape(shape.toReversed(), type) }, 'any rows'),
  );
  return sumOf(
    layouts.map((layout) => (layout && (layout.batchInvariant || oneSequence) ? layout.sizeBytes : 0)),
  );
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
 * Below this a model is held in float32, where its products are no slower than in bf16 and its answers are the
 * reference's, and runs on one thread: its steps are so short that threads lose more by waiting for each other
 * than they gain, tenfold and more where other programs want the cores too.
 */
const smallModelBytes = 256 * 2 ** 20;

export function isSmall({ tensors }: Checkpoint): boolean {
  return [...tensors.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= smallModelBytes;
}

function isQuantised({ tensors }: Checkpoint): boolean {
  return [...tensors.values()].some(({ type }) => dtypes[type].block > 1);
}
