/** Milliseconds before the n-th attempt in a row that brought nothing: 1, 2, 4 … 30 seconds. */
export function patience(attempt: number): number {
  return Math.min(1000 * 2 ** (attempt - 1), 30_000);
}
