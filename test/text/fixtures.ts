import { readFileSync } from 'node:fs';
import { Tokenizer } from '../../src/text/tokenizer.ts';

export const readFixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/text/${name}`, import.meta.url), 'utf8');

export const tokenizer = new Tokenizer(readFixture('tokenizer.json'), readFixture('tokenizer_config.json'));

/** Results of the Python reference. `about` in the file describes the version and the method. */
export const reference = JSON.parse(readFixture('reference.json')) as {
  encode: { text: string; ids: number[]; reference_ids?: number[] }[];
  decode: { ids: number[]; text: string; text_with_special: string }[];
};

/** Integers from 0 to below `end`, equal in every run (mulberry32). */
export function seeded(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * end);
  };
}
