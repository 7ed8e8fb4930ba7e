import { describe, expect, test } from 'vitest';
import {
  argmax,
  checkSampling,
  checkSeed,
  freshSeed,
  randomFrom,
  type Sampling,
  sample,
  TokenCounts,
} from '../../src/generate/sampler.ts';
import type { SamplingOptions } from '../../src/generate/types.ts';
import { caught } from '../checkpoint/caught.ts';

/** Logits whose softmax at temperature 1 is these probabilities. */
const ofProbabilities = (...probabilities: number[]) => Float32Array.from(probabilities, Math.log);
// Not sorted, so that ids and ranks differ.
const probabilities = [0.1, 0.4, 0.05, 0.25, 0.2];
const logits = ofProbabilities(...probabilities);

/** The share of draws of each id. */
function shares(options: SamplingOptions, from = logits, seen: number[] = []): number[] {
  const draws = 20_000;
  const random = randomFrom(1);
  const sampling = checkSampling({ temperature: 1, ...options });
  const counts = Array.from(from, () => 0);
  for (let i = 0; i < draws; i++) counts[sample(from, sampling, new TokenCounts(seen), random)]! += 1 / draws;
  return counts;
}

function expectShares(options: SamplingOptions, wanted: number[], seen: number[] = []) {
  for (const [id, share] of shares(options, logits, seen).entries()) {
    // Four standard deviations of 20,000 draws are below 0.015. Ids that are cut off never occur.
    if (wanted[id] === 0) expect(share, `id ${id}`).toBe(0);
    else expect(Math.abs(share - wanted[id]!), `id ${id}: ${share}`).toBeLessThan(0.015);
  }
}

describe('the draw', () => {
  test('greedy is the default, and takes the first of equal logits', () => {
    const never = () => expect.fail('greedy draws nothing');
    expect(sample(logits, checkSampling({}), new TokenCounts(), never)).toBe(1);
    expect(argmax(Float32Array.of(-3, -1, -2, -1))).toBe(1);
    expect(sample(logits, checkSampling({ topK: 3, topP: 0.1 }), new TokenCounts(), never)).toBe(1);
  });

  test('temperature 1 draws by the probabilities', () => expectShares({}, probabilities));

  test('temperature 2 draws by their square roots', () => {
    const roots = probabilities.map(Math.sqrt);
    const total = roots.reduce((a, b) => a + b);
    expectShares(
      { temperature: 2 },
      roots.map((root) => root / total),
    );
  });

  test('top-k keeps k', () => {
    expectShares({ topK: 2 }, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]);
    expectShares({ topK: 1 }, [0, 1, 0, 0, 0]);
    expectShares({ topK: 99 }, probabilities);
  });

  test('top-p keeps the fewest that reach p', () => {
    expectShares({ topP: 0.6 }, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]);
    expectShares({ topP: 0.7 }, [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]);
    expectShares({ topP: 1e-9 }, [0, 1, 0, 0, 0]);
  });

  test('top-p uses the probabilities after top-k', () => {
    // 0.4 of 0.65 is 0.615: one id is enough for 0.6, but not if the share of all ids counted.
    expectShares({ topK: 2, topP: 0.6 }, [0, 1, 0, 0, 0]);
  });

  test('min-p removes ids below its share of the highest probability', () => {
    expectShares({ minP: 0.45 }, [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]);
    expectShares({ minP: 0.99 }, [0, 1, 0, 0, 0]);
  });

  test('the repetition penalty divides positive and multiplies negative logits of earlier tokens', () => {
    const row = Float32Array.of(2, 1.5, -1, -1.5);
    const pick = (repetitionPenalty: number, ...seen: number[]) =>
      sample(row, checkSampling({ repetitionPenalty }), new TokenCounts(seen), () => 0);
    expect(pick(1, 0)).toBe(0);
    expect(pick(1.3, 0)).toBe(0);
    expect(pick(1.4, 0)).toBe(1);
    expect(
      sample(
        Float32Array.of(-1, -1.5),
        checkSampling({ repetitionPenalty: 2 }),
        new TokenCounts([0]),
        () => 0,
      ),
    ).toBe(1);
    expect(row).toEqual(Float32Array.of(2, 1.5, -1, -1.5));
    // An id without a row in the model is ignored.
    expect(pick(1.4, 0, 99)).toBe(1);
  });

  test('presence and frequency penalties are subtracted for tokens of the answer, but not of the prompt', () => {
    const counts = new TokenCounts([2]);
    for (const id of [0, 0, 1]) counts.add(id);
    const row = Float32Array.of(3, 2.5, 2, 1.2);
    const pick = (options: SamplingOptions) => sample(row, checkSampling(options), counts, () => 0);
    expect(pick({})).toBe(0);
    // 3 - 1, 2.5 - 1, 2, 1.2
    expect(pick({ presencePenalty: 0.4 })).toBe(0);
    expect(pick({ presencePenalty: 1.1 })).toBe(2);
    // 3 - 2 * 0.3, 2.5 - 0.3, 2, 1.2
    expect(pick({ frequencyPenalty: 0.3 })).toBe(0);
    // 3 - 2 * 0.4, 2.5 - 0.4: 2.2 and 2.1; at 0.6: 1.8, 1.9, 2
    expect(pick({ frequencyPenalty: 0.4 })).toBe(0);
    expect(pick({ frequencyPenalty: 0.6 })).toBe(2);
    // A negative penalty makes repetition more likely: 2.5 + 2 is more than 3 + 1.
    const once = new TokenCounts();
    once.add(1);
    expect(sample(row, checkSampling({ presencePenalty: -2 }), once, () => 0)).toBe(1);
    expect(row).toEqual(Float32Array.of(3, 2.5, 2, 1.2));
  });

  test('every random number gives an id of the vocabulary', () => {
    const sampling = checkSampling({ temperature: 1 });
    expect(sample(logits, sampling, new TokenCounts(), () => 0)).toBe(1);
    expect(sample(logits, sampling, new TokenCounts(), () => 1 - 2 ** -32)).toBe(2);
    const huge = Float32Array.of(1e30, -1e30, 0);
    expect(sample(huge, sampling, new TokenCounts(), () => 0.5)).toBe(0);
  });
});

/** `sample` without penalties in the simple form, which sorts all ids. */
function sorted(row: Float32Array, { temperature, topK, topP, minP }: Sampling) {
  const most = Array.from(row, (logit, id) => ({ id, logit: logit / temperature }))
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
    .slice(0, topK === 0 ? row.length : topK)
    .map(({ id, logit }, _, [first]) => ({ id, weight: Math.exp(logit - first!.logit) }));
  const enough = most.reduce((sum, { weight }) => sum + weight, 0) * topP;
  const below: number[] = [];
  let total = 0;
  for (const { weight } of most) {
    if (total >= enough || weight < minP) break;
    total += weight;
    below.push(total);
  }
  return { draw: (at: number) => most[below.findIndex((sum) => at * total < sum)]!.id };
}

describe('sorting only the likely ids gives the same draw as sorting all', () => {
  const random = randomFrom(5);
  const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)]!;
  const rowOf = (length: number) => {
    const [spread, grain, masked] = [pick(0.1, 3, 20, 300, 5000), pick(0, 0, 0.5), pick(0, 0, 0.3, 0.99)];
    const row = Float32Array.from({ length }, () => {
      if (random() < masked) return Number.NEGATIVE_INFINITY;
      const logit = (random() * 2 - 1) * spread;
      return grain > 0 ? Math.round(logit / grain) * grain : logit;
    });
    row[Math.floor(random() * length)] = spread;
    return row;
  };
  const samplingOf = () =>
    checkSampling({
      temperature: pick(0.01, 0.7, 1, 3, 100),
      topK: pick(0, 0, 1, 2, 40, 100_000),
      topP: pick(1, 1, 0.999, 0.9, 0.3, 1e-6),
      minP: pick(0, 0, 0.05, 0.9, 1e-300),
    });

  test.each([1, 2, 30, 1000, 128_256])('%d ids', (length) => {
    const rounds = Math.min(100, Math.ceil(100_000 / length));
    for (let round = 0; round < rounds; round++) {
      const [row, sampling] = [rowOf(length), samplingOf()];
      const { draw } = sorted(row, sampling);
      for (const at of [0, random(), random(), 1 - 2 ** -32]) {
        const drawn = sample(row, sampling, new TokenCounts(), () => at);
        expect(drawn, JSON.stringify({ round, sampling, at })).toBe(draw(at));
      }
    }
  });

  test('a logit that is not finite is drawn, so that the caller can detect it', () => {
    const sampling = checkSampling({ temperature: 1 });
    for (const row of [
      [1, Number.NaN, 2],
      [Number.NaN, 1],
      [1, Number.POSITIVE_INFINITY],
      [-Infinity, -Infinity],
    ]) {
      const logits = Float32Array.from(row);
      expect(logits[sample(logits, sampling, new TokenCounts(), () => 0.5)]).not.toSatisfy(Number.isFinite);
    }
  });
});

describe('random numbers', () => {
  test('a seed gives one sequence of uniform numbers from 0 to below 1', () => {
    const [a, b, c] = [randomFrom(42), randomFrom(42), randomFrom(43)];
    const first = Array.from({ length: 10_000 }, a);
    expect(Array.from({ length: 10_000 }, b)).toEqual(first);
    expect(Array.from({ length: 10_000 }, c)).not.toEqual(first);
    expect(first.every((value) => value >= 0 && value < 1)).toBe(true);
    for (let tenth = 0; tenth < 10; tenth++) {
      const count = first.filter((value) => Math.floor(value * 10) === tenth).length;
      expect(Math.abs(count - 1000)).toBeLessThan(150);
    }
  });

  test('a random seed is a valid seed', () => {
    const seed = freshSeed();
    expect(checkSeed(seed)).toBe(seed);
  });

  test.each([0, 1, 2 ** 32, 2 ** 53 - 1])('the seed %d is reported without a change', (seed) => {
    expect(checkSeed(seed)).toBe(seed);
    expect(checkSeed(BigInt(seed))).toBe(seed);
  });

  test.each([2n ** 64n - 1n, 2n ** 63n, 9_007_199_254_740_993n, -(2n ** 63n), -1n, 2 ** 60])(
    'the seed %s is reported as a seed with the same draws',
    (seed) => {
      const told = checkSeed(seed);
      expect(Number.isSafeInteger(told) && told >= 0).toBe(true);
      expect(checkSeed(told)).toBe(told);
      // If the draws were equal to those of the low 32 bits, the high bits would not be used.
      const low = Number(BigInt.asUintN(32, BigInt(seed)));
      if (BigInt.asUintN(64, BigInt(seed)) >> 32n) expect(told).not.toBe(low);
    },
  );

  test('seeds that differ only above 32 bits give different draws', () => {
    const first = (seed: number) => randomFrom(seed)();
    expect(new Set([5, 5 + 2 ** 32, 5 + 2 ** 33, 5 + 2 ** 52].map(first)).size).toBe(4);
  });

  test.each([0.5, Number.NaN, 2 ** 64, -(2 ** 63) * 2, 2n ** 64n])('%s is not a seed', (seed) => {
    const error = caught(() => checkSeed(seed));
    expect(error.code).toBe('invalid_value');
    expect(error.message).toContain('integer of 64 bits');
  });
});

test.each([
  [{ temperature: -0.1 }, 'temperature', 'from 0 to 100', '-0.1'],
  [{ temperature: 101 }, 'temperature', 'from 0 to 100', '101'],
  [{ temperature: Number.NaN }, 'temperature', 'from 0 to 100', 'NaN'],
  [{ topK: -1 }, 'topK', '0 or above', '-1'],
  [{ topK: 1.5 }, 'topK', 'whole number', '1.5'],
  [{ topP: 0 }, 'topP', 'above 0 and at most 1', '0'],
  [{ topP: 1.1 }, 'topP', 'above 0 and at most 1', '1.1'],
  [{ minP: 1 }, 'minP', 'at least 0 and below 1', '1'],
  [{ minP: -0.5 }, 'minP', 'at least 0 and below 1', '-0.5'],
  [{ repetitionPenalty: 0 }, 'repetitionPenalty', 'above 0 and at most 100', '0'],
  [{ repetitionPenalty: Number.POSITIVE_INFINITY }, 'repetitionPenalty', 'at most 100', 'Infinity'],
  [{ presencePenalty: 2.1 }, 'presencePenalty', 'from -2 to 2', '2.1'],
  [{ frequencyPenalty: Number.NaN }, 'frequencyPenalty', 'from -2 to 2', 'NaN'],
])('%j is refused with its limits', (options, ...parts) => {
  const error = caught(() => checkSampling(options));
  expect(error.code).toBe('invalid_value');
  for (const part of parts) expect(error.message).toContain(part);
});
