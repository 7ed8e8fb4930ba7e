/** The recorded prompts, and the one difference of VLMEvalKit 2024. */
import { expect, test } from 'vitest';
import { benchmarks } from '../../../src/eval/benchmarks.ts';
import { promptOf } from '../../../src/eval/run/prompt.ts';
import { readCases } from '../score/cases.ts';

const benchmarkOf = (dataset: string) => benchmarks.find((name) => dataset.toLowerCase().startsWith(name))!;

test.each(readCases('prompts'))('$id: $dataset', ({ dataset, row, expected }) => {
  expect(promptOf(benchmarkOf(dataset), row, 'vlmevalkit')).toBe(expected);
  const newline = ['textvqa', 'docvqa', 'chartqa'].includes(benchmarkOf(dataset)) ? '\n' : '';
  expect(promptOf(benchmarkOf(dataset), row, 'vlmevalkit-2024')).toBe(expected + newline);
});
