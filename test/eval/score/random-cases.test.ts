/**
 * Cases made to break the rules: numbers in other scripts, odd white space, list literals, letters and texts of options
 * inside each other, half-finished formulas. Drawn at random and scored by a second writing of the rules in Python 3.11.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Benchmark, type Profile, profiles } from '../../../src/eval/benchmarks.ts';
import { scoreRows } from '../../../src/eval/score/summary.ts';

type Expected = number | { error: true } | { score: number | null; parsed?: string | null };
interface Hostile {
  readonly id: string;
  readonly prediction: string;
  readonly expected: Readonly<Record<Profile, Expected>>;
}

const cases = JSON.parse(
  readFileSync(new URL('../../fixtures/eval/hostile.json', import.meta.url), 'utf8'),
) as Record<Benchmark, Hostile[]>;

const pairs = Object.keys(cases).flatMap((benchmark) =>
  profiles.map((profile) => [benchmark as Benchmark, profile] as const),
);

describe.each(pairs)('%s %s', (benchmark, profile) => {
  const { rows } = scoreRows(benchmark, cases[benchmark], profile);
  test.each(cases[benchmark].map((one, i) => ({ ...one, i })))('$id: $prediction', ({ expected, i }) => {
    const wanted = expected[profile];
    const { score, parsed, error } = rows[i]!;
    if (typeof wanted === 'number') expect(score).toBeCloseTo(wanted, 9);
    else if ('error' in wanted) expect(error).toEqual(expect.any(String));
    else expect({ score, ...('parsed' in wanted && { parsed }) }).toEqual(wanted);
  });
});
