import { CogVLM2Error } from '../errors.ts';
import type { SamplingOptions } from './types.ts';

export type Sampling = Required<Omit<SamplingOptions, 'seed'>>;

/** Fills in the defaults. @throws CogVLM2Error `invalid_value` naming the value and its limits. */
export function checkSampling(options: SamplingOptions): Sampling {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = options;
  const { presencePenalty = 0, frequencyPenalty = 0 } = options;
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
  must(Math.abs(presencePenalty) <= 2, 'presencePenalty', 'from -2 to 2', presencePenalty);
  must(Math.abs(frequencyPenalty) <= 2, 'frequencyPenalty', 'from -2 to 2', frequencyPenalty);
  return { temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty };
}

/** Counts of the tokens so far, for the penalties. */
export class TokenCounts {
  /** Ids of the prompt and of the answer. */
  readonly seen: Set<number>;
  /** Number of each id in the answer. */
  readonly answered = new Map<number, number>();

  constructor(promptIds: Iterable<number> = []) {
    this.seen = new Set(promptIds);
  }

  add(id: number): void {
    this.seen.add(id);
    this.answered.set(id, (this.answered.get(id) ?? 0) + 1);
  }
}

/** Draws the next token. The order is common: penalties, temperature, top-k, top-p, min-p, draw. */
export function sample(
  logits: Float32Array,
  sampling: Sampling,
  counts: TokenCounts,
  random: () => number,
): number {
  const penalised = penalise(logits, sampling, counts);
  const top = argmax(penalised);
  if (sampling.temperature === 0) return top;
  const { weights, total, damaged } = softmaxWeights(penalised, top, sampling.temperature);
  // The caller checks the logit of the token that was drawn.
  if (damaged !== null) return damaged;
  const nucleus = cut(ranked(weights), weights, total, sampling);
  const share = random() * nucleus.total;
  let below = 0;
  let drawn = top;
  for (const id of nucleus.ids) {
    drawn = id;
    below += weights[id]!;
    if (share < below) break;
  }
  return drawn;
}

/** The first id with the largest logit. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if ((logits[id] ?? 0) > (logits[best] ?? 0)) best = id;
  return best;
}

/**
 * Repetition: Keskar et al. 2019 (CTRL), as in Transformers: a positive logit is divided by the penalty, a negative one
 * multiplied. Presence and frequency: OpenAI's formula, logit - presence - count * frequency.
 */
function penalise(logits: Float32Array, sampling: Sampling, { seen, answered }: TokenCounts): Float32Array {
  const { repetitionPenalty, presencePenalty, frequencyPenalty } = sampling;
  if (repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0) return logits;
  const changed = logits.slice();
  if (repetitionPenalty !== 1) {
    for (const id of seen) {
      const logit = changed[id];
      if (logit !== undefined)
        changed[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    }
  }
  for (const [id, count] of answered) {
    const logit = changed[id];
    if (logit !== undefined) changed[id] = logit - presencePenalty - count * frequencyPenalty;
  }
  return changed;
}

/** The weight of each id, relative to the largest logit. `damaged` is an id whose weight is not a number. */
function softmaxWeights(logits: Float32Array, top: number, temperature: number) {
  const largest = logits[top]! / temperature;
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let id = 0; id < weights.length; id++) {
    const weight = Math.exp(logits[id]! / temperature - largest);
    weights[id] = weight;
    total += weight;
  }
  return { weights, total, damaged: Number.isNaN(total) ? weights.findIndex(Number.isNaN) : null };
}

/**
 * Ids by falling weight, lower ids first when equal, without weight 0. A draw needs few of 128,256 ids, so they are sorted in
 * bands, and only as far as they are read.
 */
function* ranked(weights: Float64Array): Generator<number, void> {
  let above = Number.POSITIVE_INFINITY;
  let least = 2 ** -4;
  while (above > 0) {
    const band: number[] = [];
    for (let id = 0; id < weights.length; id++) {
      const weight = weights[id]!;
      if (weight < above && weight >= least && weight > 0) band.push(id);
    }
    yield* band.sort((a, b) => weights[b]! - weights[a]! || a - b);
    above = least;
    least **= 2; // finally 0
  }
}

/** The ids after top-k, top-p and min-p. All ids, unsorted, if none of these is set. */
function cut(
  ids: Iterable<number>,
  weights: Float64Array,
  total: number,
  { topK, topP, minP }: Sampling,
): { ids: Iterable<number>; total: number } {
  if (topK === 0 && topP === 1 && minP === 0) return { ids, total };
  const most = topK === 0 ? { ids, total } : firstOf(ids, weights, (count) => count === topK);
  const enough = topP === 1 ? Number.POSITIVE_INFINITY : most.total * topP;
  const likely = takeWhile(most.ids, (id) => weights[id]! >= minP);
  return firstOf(likely, weights, (_, sum) => sum >= enough);
}

/** The ids up to the first for which `isEnough` holds. */
function firstOf(
  ids: Iterable<number>,
  weights: Float64Array,
  isEnough: (count: number, total: number) => boolean,
) {
  const first: number[] = [];
  let total = 0;
  for (const id of ids) {
    first.push(id);
    total += weights[id]!;
    if (isEnough(first.length, total)) break;
  }
  return { ids: first, total };
}

function* takeWhile(ids: Iterable<number>, holds: (id: number) => boolean): Generator<number, void> {
  for (const id of ids) {
    if (!holds(id)) return;
    yield id;
  }
}

/** A seeded source of numbers in [0, 1): Mulberry32, 32 bits of state, the same on every machine. */
export function randomFrom(seed: number): () => number {
  let state = stateOf(BigInt(seed));
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function freshSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

/**
 * A number that gives the same draws as the seed: the seed itself if it is a safe integer from 0 on, otherwise its 32 bits of state.
 * @throws CogVLM2Error `invalid_value` if it is no integer of 64 bits, signed or unsigned.
 */
export function checkSeed(seed: number | bigint): number {
  const isWhole = typeof seed === 'bigint' || Number.isInteger(seed);
  const wide = isWhole ? BigInt(seed) : null;
  if (wide === null || wide < -(2n ** 63n) || wide >= 2n ** 64n) {
    throw new CogVLM2Error(
      'invalid_value',
      `seed must be an integer of 64 bits, from -2^63 to 2^64 - 1; got ${seed}.`,
    );
  }
  return wide >= 0n && wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : stateOf(wide);
}

/** Maps the 64 bits of a seed to 32 bits of state. The state of a seed below 2^32 is the seed. */
function stateOf(seed: bigint): number {
  const bits = BigInt.asUintN(64, seed);
  const high = Number(bits >> 32n);
  // An odd factor keeps different high halves different.
  return (Number(bits & 0xffff_ffffn) ^ Math.imul(high, 0x9e3779b1)) >>> 0;
}
