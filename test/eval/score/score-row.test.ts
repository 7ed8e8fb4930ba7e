/** Every recorded case, for every profile with a recorded value. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Benchmark, Profile } from '../../../src/eval/benchmarks.ts';
import { scoreDocVqa } from '../../../src/eval/score/docvqa.ts';
import { parseOpenAnswer } from '../../../src/eval/score/mmmu.ts';
import { judgeRow, readJudge, sumCombinations } from '../../../src/eval/score/mmvet.ts';
import { sumOcrBench } from '../../../src/eval/score/ocrbench.ts';
import { ocrCategory } from '../../../src/eval/score/score-row.ts';
import { contractions, normalizeAnswer } from '../../../src/eval/score/textvqa.ts';
import { type Case, readCases, scoreCases } from './cases.ts';

/** The recorded implementation that a profile must equal. */
const scored: [Benchmark, Profile, string][] = [
  ['textvqa', 'official', 'm4c_textvqa_official'],
  ['textvqa', 'vlmevalkit', 'vlmevalkit'],
  ['textvqa', 'vlmevalkit-2024', 'vlmevalkit'],
  ['docvqa', 'official', 'rrc_script'],
  ['docvqa', 'vlmevalkit', 'vlmevalkit'],
  ['docvqa', 'vlmevalkit-2024', 'vlmevalkit'],
  ['chartqa', 'official', 'pix2struct'],
  ['chartqa', 'vlmevalkit', 'vlmevalkit'],
  ['chartqa', 'vlmevalkit-2024', 'vlmevalkit_2024_swapped'],
  ['ocrbench', 'official', 'official'],
  ['ocrbench', 'vlmevalkit', 'vlmevalkit'],
  ['ocrbench', 'vlmevalkit-2024', 'vlmevalkit'],
];

describe.each(scored)('%s %s equals %s', (benchmark, profile, implementation) => {
  const { byId } = scoreCases(benchmark, profile);
  const cases = readCases(benchmark).filter(({ kind }) => kind === undefined);
  test.each(cases)('$id: $note', ({ id, expected_by }) => {
    const expected = expected_by[implementation];
    if (expected.error !== undefined)
      expect(byId.get(id)).toMatchObject({ score: null, error: expect.any(String) });
    else expect(byId.get(id)!.score).toBeCloseTo(expected, 9);
  });
});

describe('docvqa', () => {
  /** The method of the script: every distance is computed. */
  function plainScore(prediction: string, answers: readonly string[]): number {
    const fold = (text: string) => [...text.toLowerCase().trim().split(/\s+/).join(' ')];
    const scores = answers.map((answer) => {
      const length = Math.max([...answer.toUpperCase()].length, [...prediction.toUpperCase()].length);
      return length === 0 ? 1 : 1 - distance(fold(answer), fold(prediction)) / length;
    });
    const score = Math.max(...scores);
    return score < 0.5 ? 0 : score;
  }

  function distance(left: readonly string[], right: readonly string[]): number {
    const table = Array.from({ length: left.length + 1 }, (_, i) => [i]);
    for (let j = 1; j <= right.length; j++) table[0]![j] = j;
    for (let i = 1; i <= left.length; i++) {
      for (let j = 1; j <= right.length; j++) {
        const replaced = table[i - 1]![j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
        table[i]![j] = Math.min(table[i - 1]![j]! + 1, table[i]![j - 1]! + 1, replaced);
      }
    }
    return table[left.length]![right.length]!;
  }

  test('equals the score with every distance computed', () => {
    const text = (most: number) =>
      fc
        .array(fc.constantFrom('a', 'A', 'b', ' ', '\t', 'ß', 'İ', '😀'), { maxLength: most })
        .map((all) => all.join(''));
    const answers = fc.array(text(10), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(text(20), answers, (prediction, answers) => {
        expect(scoreDocVqa(prediction, answers)).toBe(plainScore(prediction, answers));
      }),
      { numRuns: 5000 },
    );
  });

  test('a question may have more answers than a function can take arguments', () => {
    expect(scoreDocVqa('a', [...Array<string>(300_000).fill('bcd'), 'a'])).toBe(1);
  });

  test('no distance is computed for a text that is too long to be right', () => {
    expect(scoreDocVqa('a'.repeat(4_000_000), ['b'.repeat(20_000), 'a'.repeat(20_000)])).toBe(0);
  });
});

test('a single answer of OCRBench is scored like a list with one answer', () => {
  const cases = readCases('ocrbench').filter(
    ({ expected_by }) => expected_by?.official_single_string != null,
  );
  const { byId } = scoreCases('ocrbench', 'official');
  for (const { id, expected_by } of cases)
    expect(byId.get(id)!.score).toBe(expected_by.official_single_string);
});

// The recorded sums are over a longer list of cases. These are the same sums over the cases in the fixture.
test('the sums of OCRBench', () => {
  const { rows } = scoreCases('ocrbench', 'vlmevalkit');
  const sums = sumOcrBench(
    rows.map(({ row, score }) => ({ category: ocrCategory(row), score: Number(score) })),
  );
  const cases = readCases('ocrbench').filter(({ kind }) => kind === undefined);
  const sumOf = (end: string) =>
    cases.filter(({ type }) => type.endsWith(end)).reduce((sum, { expected }) => sum + expected, 0);
  const { 'Final Score': total, 'Final Score Norm': norm, ...groups } = sums;
  const recorded = readCases('ocrbench').find(({ kind }) => kind === 'aggregate')!.expected;
  for (const [name, sum] of Object.entries(groups)) expect([name, sum]).toEqual([name, sumOf(name)]);
  expect(Object.keys({ ...groups, 'Final Score': 0, 'Final Score Norm': 0 })).toEqual(Object.keys(recorded));
  expect(total).toBe(sumOf(''));
  expect(norm).toBe(sumOf('') / 10);
});

test.each(readCases('textvqa'))('normalization of $id', ({ prediction, normalized }) => {
  expect(normalizeAnswer(prediction, 'vlmevalkit')).toBe(normalized.vlmevalkit);
  expect(normalizeAnswer(prediction, 'm4c')).toBe(normalized.m4c);
});

test('120 contractions', () => {
  expect(contractions.size).toBe(120);
  expect(contractions.get("yall'd've")).toBe("y'all'd've");
  expect(contractions.get("'ows'at")).toBe("'ow's'at");
});

describe('mmmu', () => {
  const official = scoreCases('mmmu', 'official').byId;
  test.each(readCases('mmmu'))('official $id: $note', ({ id, expected, expected_parsed }) => {
    expect(official.get(id)!.score).toBe(expected);
    expect(official.get(id)!.parsed).toEqual(expected_parsed);
  });

  const now = scoreCases('mmmu', 'vlmevalkit').byId;
  test.each(readCases('mmmu'))('vlmevalkit $id: $note', ({ id, question_type, answer, expected_by }) => {
    const letter =
      question_type === 'open' ? expected_by.vlmevalkit_option : expected_by.vlmevalkit_exact_matching;
    expect(now.get(id)!.parsed ?? 'Z').toBe(letter);
    const score =
      question_type === 'open' ? expected_by.vlmevalkit_exact_matching : letter === answer ? 1 : 0;
    expect(now.get(id)!.score).toBe(score);
  });

  const before = scoreCases('mmmu', 'vlmevalkit-2024').byId;
  const choices = readCases('mmmu').filter(({ question_type }) => question_type === 'multiple-choice');
  test.each(choices)('vlmevalkit-2024 $id: $note', ({ id, answer, expected_by }) => {
    expect(before.get(id)!.parsed ?? 'Z').toBe(expected_by.vlmevalkit_2024_exact_matching);
    expect(before.get(id)!.score).toBe(expected_by.vlmevalkit_2024_exact_matching === answer ? 1 : 0);
  });
});

describe('mmbench', () => {
  const cases = readCases('mmbench');
  const kind = (name: string) => cases.filter((one) => one.kind === name);
  const profiles: [Profile, string][] = [
    ['official', 'vlmevalkit'],
    ['vlmevalkit', 'vlmevalkit'],
    ['vlmevalkit-2024', 'vlmevalkit_2024'],
  ];
  describe.each(profiles)('%s', (profile, implementation) => {
    const { byId } = scoreCases('mmbench', profile);
    test.each(kind('option'))('$id: $note', ({ id, answer, expected_by }) => {
      const letter = expected_by[implementation] === false ? null : expected_by[implementation];
      expect(byId.get(id)).toMatchObject({ parsed: letter, score: letter === answer ? 1 : 0 });
    });
    test.each(kind('circular_group'))('$id: $note', ({ id, expected, expected_by }) => {
      expect(byId.get(id)!.score).toBe(expected);
      expect(byId.get(id)!.undecided).toBe(expected_by.vlmevalkit_prefetch === null);
    });
    test.each(kind('dataset'))('$id: $note', ({ id, expected, expected_hits }) => {
      expect(byId.get(id)).toMatchObject({ score: expected, parsed: expected_hits });
    });
  });
});

describe('mmvet', () => {
  const cases = readCases('mmvet');
  const kind = (name: string) => cases.filter((one) => one.kind === name);
  const { byId } = scoreCases('mmvet', 'official');

  test.each(kind('prompt'))('$id: $note', ({ id, question, answer, prediction, expected, expected_by }) => {
    expect(judgeRow(question, answer, prediction)).toBe(expected_by.official_tail);
    expect(`\n${judgeRow(question, answer, prediction)}`).toBe(expected_by.vlmevalkit_tail);
    expect(byId.get(id)!.score).toBe(expected);
  });

  test.each(kind('judge_reply'))('$id: $note', ({ id, replies, expected, expected_by }) => {
    expect(byId.get(id)!.score).toBe(expected);
    const { retry_suffix, ...official } = expected_by.official;
    expect(readJudge(replies, 'official')).toEqual({ ...official, retrySuffix: retry_suffix });
    expect(readJudge(replies, 'vlmevalkit')).toMatchObject(expected_by.vlmevalkit);
    expect(readJudge(replies, 'vlmevalkit-2024')).toMatchObject(expected_by.vlmevalkit);
  });

  test.each(kind('aggregate'))('$id: $note', ({ id, items, expected, expected_by }) => {
    const near = (rows: Case[]) => rows.map((row) => ({ ...row, acc: expect.closeTo(row.acc, 9) }));
    expect(scoreCases('mmvet', 'vlmevalkit').byId.get(id)!.score).toEqual(near(expected));
    expect(sumCombinations(items, 'vlmevalkit')).toEqual(near(expected_by.vlmevalkit_fine));
    expect(byId.get(id)!.score).toContainEqual({ Category: 'rec', tot: 3, acc: expect.closeTo(100 / 3, 9) });
    expect(sumCombinations(items, 'official')).toContainEqual({
      Category: 'math_ocr',
      tot: 2,
      acc: 55.00000000000001,
    });
  });
});

test('an answer with one digit repeated many times takes linear time', () => {
  const ones = '1'.repeat(50_000);
  expect(parseOpenAnswer(`${ones}x 2e3 -4.5`)).toEqual([`${ones}x 2e3 -4.5`, -4.5, 2000, 3]);
});
