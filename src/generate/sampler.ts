import { CogVLM2Error } from '../errors.ts';
import type { SamplingOptions } from './types.ts';

export type Sampling = Required<Omit<SamplingOptions, 'seed'>>;

interface Candidate {
  id: number;
  logit: number;
}

/** Fills in the defaults. @throws CogVLM2Error `invalid_value` naming the value and its limits. */
export function checkSampling(options: SamplingOptions): Sampling {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, seed } = options;
  const must = (right: boolean, name: string, limits: string, value: number) => {
    if (!right) throw new CogVLM2Error('invalid_value', `${name} must be ${limits}; got ${value}.`);
  };
  must(temperature >= 0 && temperature <= 100, 'temperature', 'from 0 to 100', temperature);
  must(Number.isInteger(topK) && topK >= 0, 'topK', 'a whole number, 0 or above', topK);
  must(topP > 0 && topP <= 1, 'topP', 'above 0 and at most 1', topP);
  must(minP >= 0 && minP < 1, 'minP', 'at least 0 and below 1', minP);
  must(
    repetitionPenalty > 0 && repetitionPenalty <= 100,
    'repetitionPenalty',
    'above 0 and at most 100',
    repetitionPenalty,
  );
  if (seed !== undefined)
    must(Number.isSafeInteger(seed) && seed >= 0, 'seed', 'a whole number, 0 or above', seed);
  return { temperature, topK, topP, minP, repetitionPenalty };
}

/**
 * Draws the next token. The order is that of the usual pipelines: penalty, temperature, top-k, top-p, min-p, draw.
 * @param seen ids of the text so far, for the penalty.
 */
export function sample(
  logits: Float32Array,
  sampling: Sampling,
  seen: ReadonlySet<number>,
  random: () => number,
): number {
  const penalised =
    sampling.repetitionPenalty === 1 ? logits : penalise(logits, seen, sampling.repetitionPenalty);
  if (sampling.temperature === 0) return argmax(penalised);
  let candidates = Array.from(penalised, (logit, id) => ({ id, logit: logit / sampling.temperature }));
  candidates.sort((a, b) => b.logit - a.logit || a.id - b.id);
  if (sampling.topK > 0) candidates = candidates.slice(0, sampling.topK);
  const weights = softmaxWeights(candidates);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const kept = Math.min(countTopP(weights, total * sampling.topP), countMinP(weights, sampling.minP));
  const share = random() * weights.slice(0, kept).reduce((sum, weight) => sum + weight, 0);
  let below = 0;
  for (let i = 0; i < kept; i++) {
    below += weights[i] ?? 0;
    if (share < below) return candidates[i]?.id ?? 0;
  }
  return candidates[kept - 1]?.id ?? 0;
}

/** The first of the largest. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if ((logits[id] ?? 0) > (logits[best] ?? 0)) best = id;
  return best;
}

/** Keskar et al. 2019 (CTRL), as in Transformers: a positive logit is divided by the penalty, a negative one multiplied. */
function penalise(logits: Float32Array, seen: ReadonlySet<number>, penalty: number): Float32Array {
  const changed = logits.slice();
  for (const id of seen) {
    const logit = changed[id];
    if (logit !== undefined) changed[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
  return changed;
}

/** Unnormalised, relative to the first, which is the largest. */
function softmaxWeights(sorted: readonly Candidate[]): number[] {
  const top = sorted[0]?.logit ?? 0;
  return sorted.map(({ logit }) => Math.exp(logit - top));
}

/** How many of the largest weights it takes to reach `share`. */
function countTopP(weights: readonly number[], share: number): number {
  let sum = 0;
  for (const [i, weight] of weights.entries()) {
    sum += weight;
    if (sum >= share) return i + 1;
  }
  return weights.length;
}

/** How many weights are at least `minP` of the largest, which is 1. */
function countMinP(weights: readonly number[], minP: number): number {
  const count = weights.findIndex((weight) => weight < minP);
  return count < 0 ? weights.length : count;
}
