import type { Benchmark } from '../eval/benchmarks.ts';

/** As the published table heads its columns, and what a full score is. */
export const benchmarkNames: Readonly<Record<Benchmark, { title: string; full: number }>> = {
  textvqa: { title: 'TextVQA', full: 100 },
  docvqa: { title: 'DocVQA', full: 100 },
  chartqa: { title: 'ChartQA', full: 100 },
  ocrbench: { title: 'OCRBench', full: 1000 },
  mmmu: { title: 'MMMU', full: 100 },
  mmvet: { title: 'MM-Vet', full: 100 },
  mmbench: { title: 'MMBench', full: 100 },
  demo: { title: 'Demo', full: 100 },
};

/** One decimal, as in the published table; points of OCRBench are whole. */
export function shownScore(benchmark: Benchmark, score: number | null): string {
  if (score === null) return '–';
  return score.toFixed(benchmarkNames[benchmark].full === 1000 ? 0 : 1);
}
