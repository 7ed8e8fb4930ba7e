/** The sampling settings, with the limits of the API. */
export const SAMPLING_FIELDS = [
  { name: 'temperature', min: 0, max: 2, isWhole: false },
  { name: 'top_p', min: 0.01, max: 1, isWhole: false },
  { name: 'top_k', min: 0, max: 200, isWhole: true },
  { name: 'min_p', min: 0, max: 0.99, isWhole: false },
  { name: 'repetition_penalty', min: 1, max: 2, isWhole: false },
  { name: 'max_tokens', min: 1, max: 8192, isWhole: true },
  { name: 'seed', min: 0, max: 4294967295, isWhole: true },
] as const;

type SamplingName = (typeof SAMPLING_FIELDS)[number]['name'];

/** Only the values that the user set. For all others, the server's defaults apply. */
export type Sampling = Partial<Record<SamplingName, number>>;

export type SamplingField = (typeof SAMPLING_FIELDS)[number];

/** The number in a field; null for an empty field; `invalid` for a value that the server would refuse. */
export function samplingValue(
  { min, max, isWhole }: { min: number; max: number; isWhole: boolean },
  text: string,
): number | null | 'invalid' {
  if (text.trim() === '') return null;
  const value = Number(text);
  if (!Number.isFinite(value) || value < min || value > max) return 'invalid';
  return isWhole && !Number.isInteger(value) ? 'invalid' : value;
}
