/** The benchmarks, the profiles of their rules, and the published table. */

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

export type PublishedBenchmark = (typeof publishedBenchmarks)[number];

export interface PublishedRow {
  readonly name: string;
  /** Percentages, points for OCRBench, null for a dash. */
  readonly scores: Readonly<Record<PublishedBenchmark, number | null>>;
}

/** The table of the CogVLM2 repository's README, which does not state splits, prompts and scoring scripts. */
export const published: readonly PublishedRow[] = [
  row('CogVLM2-LLaMA3', 84.2, 92.3, 81.0, 756, 44.3, 60.4, 80.5),
  row('CogVLM2-LLaMA3-Chinese', 85.0, 88.4, 74.7, 780, 42.8, 60.5, 78.9),
  row('CogVLM1.1', 69.7, null, 68.3, 590, 37.3, 52.0, 65.8),
  row('LLaVA-1.5 13B', 61.3, null, null, 337, 37.0, 35.4, 67.7),
  row('Mini-Gemini 34B', 74.1, null, null, null, 48.0, 59.3, 80.6),
  row('LLaVA-NeXT-LLaMA3 8B', null, 78.2, 69.5, null, 41.7, null, 72.1),
  row('LLaVA-NeXT-110B', null, 85.7, 79.7, null, 49.1, null, 80.5),
  row('InternVL-1.5 20B', 80.6, 90.9, 83.8, 720, 46.8, 55.4, 82.3),
  row('QwenVL-Plus', 78.9, 91.4, 78.1, 726, 51.4, 55.7, 67.0),
  row('Claude3-Opus', null, 89.3, 80.8, 694, 59.4, 51.7, 63.3),
  row('Gemini Pro 1.5', 73.5, 86.5, 81.3, null, 58.5, null, null),
  row('GPT-4V', 78.0, 88.4, 78.5, 656, 56.8, 67.7, 75.0),
];

function row(
  name: string,
  textvqa: number | null,
  docvqa: number | null,
  chartqa: number | null,
  ocrbench: number | null,
  mmmu: number | null,
  mmvet: number | null,
  mmbench: number | null,
): PublishedRow {
  return { name, scores: { textvqa, docvqa, chartqa, ocrbench, mmmu, mmvet, mmbench } };
}
