/** The seven benchmarks of the published table. */
export const publishedBenchmarks = [
  'textvqa',
  'docvqa',
  'chartqa',
  'ocrbench',
  'mmmu',
  'mmvet',
  'mmbench',
] as const;

/** The seven, and `demo`: images of our generator that are not in the training data, for models too small for the others. */
export const benchmarks = [...publishedBenchmarks, 'demo'] as const;
export type Benchmark = (typeof benchmarks)[number];

/** Prompts and scoring rules. `vlmevalkit` is the toolkit of August 2026, `vlmevalkit-2024` the version of 2024. */
export const profiles = ['official', 'vlmevalkit', 'vlmevalkit-2024'] as const;
export type Profile = (typeof profiles)[number];

/** The column titles of the published table, and the maximum score. */
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

/** One decimal as in the published table; integer points for OCRBench. */
export function shownScore(benchmark: Benchmark, score: number | null): string {
  if (score === null) return '–';
  return score.toFixed(benchmarkNames[benchmark].full === 1000 ? 0 : 1);
}
