/** Sequences that are answered at the same time. */
export const defaultParallel = 8;

const defaultBytes = 2 ** 31;

/**
 * Tokens that all KV caches together have room for when nobody chose a number: what fits into 2 GiB, at least one
 * context, and at most one context for each sequence.
 */
export function defaultKvTokens(contextSize: number, parallel: number, tokenBytes: number): number {
  const affordable = Math.floor(defaultBytes / tokenBytes);
  return Math.max(contextSize, Math.min(affordable, parallel * contextSize));
}
