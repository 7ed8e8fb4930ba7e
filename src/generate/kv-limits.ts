import { CogVLM2Error } from '../errors.ts';
import type { Model } from '../model/cogvlm2.ts';
import { defaultParallel } from '../model/kv-budget.ts';
import type { SchedulerLimits } from './scheduler.ts';

/** How many answers are made at the same time, and the memory for them. */
export interface KvOptions {
  /** Most questions that are answered at the same time; further ones are queued. Default: 8. */
  parallel?: number;
  /**
   * Most tokens, of prompts and answers, that all KV caches together have room for; 128 KiB each for the 19 B model.
   * Default: what fits into 2 GiB, at least one context and at most `parallel` of them; one context where memory is short.
   */
  kvTokens?: number;
  /** Most questions in the queue; one more ends with `queue_full`. Default: 256. */
  maxWaiting?: number;
}

/** @throws CogVLM2Error `invalid_value` naming the value and its limits. */
export function kvLimits(options: KvOptions, contextSize: number, model: Model): SchedulerLimits {
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
