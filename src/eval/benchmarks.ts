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

/** The seven, and `demo`: held-out pictures of our own generator, for models too small for the others. */
export const benchmarks = [...publishedBenchmarks, 'demo'] as const;
export type Benchmark = (typeof benchmarks)[number];

/** `vlmevalkit` is the toolkit of August 2026, `vlmevalkit-2024` the one behind the numbers of 2024. */
export const profiles = ['official', 'vlmevalkit', 'vlmevalkit-2024'] as const;
export type Profile = (typeof profiles)[number];
