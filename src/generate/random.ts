import { CogVLM2Error } from '../errors.ts';

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
 * The seed as a number that gives the same draws: itself where it is a safe integer above -1, otherwise its 32 bits of
 * state.
 * @throws CogVLM2Error `invalid_value` for what is no integer of 64 bits, signed or not.
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

/** All 64 bits of a seed in 32; a seed below 2^32 is its own state. */
function stateOf(seed: bigint): number {
  const bits = BigInt.asUintN(64, seed);
  const high = Number(bits >> 32n);
  // An odd factor: different high halves stay different.
  return (Number(bits & 0xffff_ffffn) ^ Math.imul(high, 0x9e3779b1)) >>> 0;
}
