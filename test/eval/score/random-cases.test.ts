/**
 * Random difficult cases: numbers in other scripts, unusual white space, list literals, option letters and texts inside each
 * other, incomplete formulas. A second implementation of the rules in Python 3.11 gave the expected scores.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Benchmark, type Profile, profiles } from '../../../src/eval/benchmarks.ts';
import { scoreRows } from '../../../src/eval/score/summary.ts';

type Expected = number | { error: true } | { score: number | null; parsed?: string | null };
interface RandomCase {
  readonly id: string;
  readonly prediction: string;
  readonly expected: Readonly<Record<Profile, Expected>>;
}

const cases = JSON.parse(
  readFileSync(new URL('../../fixtures/eval/hostile.json', import.meta.url), 'utf8'),
) as Record<Benchmark, RandomCase[]>;

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
