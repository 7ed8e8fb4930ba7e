/** An earlier estimate would be too unstable. */
const SETTLED_MS = 800;

/** Remaining seconds of a stage at its average rate; null if too little of it is done. Pure. */
export function secondsLeft(done: number, total: number, elapsedMs: number): number | null {
  if (done <= 0 || done >= total || elapsedMs < SETTLED_MS) return null;
  return Math.max(1, Math.round(((total - done) * elapsedMs) / done / 1000));
}
