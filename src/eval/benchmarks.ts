/** The names of the seven benchmarks of the published table, and of the scorers that we can be equal to. */
export const benchmarks = ['textvqa', 'docvqa', 'chartqa', 'ocrbench', 'mmmu', 'mmvet', 'mmbench'] as const;
export type Benchmark = (typeof benchmarks)[number];

/** `vlmevalkit` is the toolkit of August 2026, `vlmevalkit-2024` the one behind the numbers of 2024. */
export const profiles = ['official', 'vlmevalkit', 'vlmevalkit-2024'] as const;
export type Profile = (typeof profiles)[number];
