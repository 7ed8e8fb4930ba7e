import { CogVLM2Error } from '../errors.ts';
import type { Model } from '../model/cogvlm2.ts';
import { defaultParallel } from '../model/kv-cache.ts';
import type { AdapterOptions } from './adapters.ts';
import type { DiskImageCacheOptions } from './disk-image-cache.ts';
import type { SchedulerLimits } from './policies.ts';
import type { Progress } from './types.ts';

export interface LoadOptions extends KvOptions, AdapterOptions {
  /** A folder in the published layout, a .gguf file, or a name that `listModels` gives. Default: the demo model. */
  model?: string;
  /** `auto` (the default), `cpu`, `gpu`, or the beginning of a device's name. */
  device?: string;
  /** Default: the physical cores. */
  threads?: number;
  /**
   * Side in pixels that images are resized to: a multiple of 28 below the model's own (of 14 for CogVLM 1, which has no
   * convolution). The position table is interpolated. The tower's cost falls at least with the square of the side, and the model sees less detail.
   */
  imageSize?: number;
  /** Limit for prompt and answer together, in tokens. Default: the model's own context. */
  contextSize?: number;
  /** `f32` computes everything in float32. `auto` uses the stored types, or f32 if the model is so small that it is no slower. */
  compute?: 'auto' | 'f32';
  /** Limit for encoded images that stay in memory after their last use, in bytes. Default: 256 MiB. */
  imageCacheBytes?: number;
  /**
   * Image tokens on disk, so that another process does not encode an image again. Default: on if encoding takes longer than
   * reading (not for the demonstration model, and not with `compute: 'f32'`, because the tokens are stored as f16).
   * `false` turns it off.
   */
  imageCache?: false | (DiskImageCacheOptions & { /** For every model. Default: false. */ always?: boolean });
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** The number of concurrent answers, and their memory. */
interface KvOptions {
  /**
   * Maximum number of concurrent answers; further questions are queued. Default: 8. With 1, four-bit weights are faster on
   * a CPU, but the last bits of an answer can differ from those with more.
   */
  parallel?: number;
  /**
   * Capacity of all KV caches together, in tokens of prompts and answers; 128 KiB each for the 19 B model. Default: what fits into
   * 2 GiB, at least one context and at most `parallel` of them; one context if memory is short.
   */
  kvTokens?: number;
  /** Maximum length of the queue; further questions fail with `queue_full`. Default: 256. */
  maxWaiting?: number;
}

/** @throws CogVLM2Error `invalid_value` naming the value and its limits. */
export function kvLimits(options: LoadOptions, contextSize: number, model: Model): SchedulerLimits {
  const { parallel = defaultParallel, maxWaiting = 256 } = options;
  checkWhole('parallel', parallel, 1, model.mostSequences);
  checkWhole('maxWaiting', maxWaiting, 0, Number.MAX_SAFE_INTEGER);
  const { kvTokens = model.kvTokens } = options;
  checkWhole('kvTokens', kvTokens, contextSize, Number.MAX_SAFE_INTEGER);
  return { sequences: parallel, kvTokens, queued: maxWaiting };
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const limits = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`;
  const why = name === 'kvTokens' ? ', so that one whole context fits; a smaller contextSize needs less' : '';
  throw new CogVLM2Error('invalid_value', `${name} must be a whole number, ${limits}${why}; got ${value}.`);
}
