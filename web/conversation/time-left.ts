/** Before this an estimate jumps more than it tells. */
const SETTLED_MS = 800;

/** Seconds that a stage still takes if it goes on as it has; null while too little of it is done to say. Pure. */
export function secondsLeft(done: number, total: number, elapsedMs: number): number | null {
  if (done <= 0 || done >= total || elapsedMs < SETTLED_MS) return null;
  return Math.max(1, Math.round(((total - done) * elapsedMs) / done / 1000));
}
