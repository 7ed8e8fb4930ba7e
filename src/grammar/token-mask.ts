/** Holds one answer to a format while it is sampled. Each sequence has its own. */
export interface TokenMask {
  /** Computes which tokens may come next, in slices between which other work goes on. @throws the signal's reason */
  prepare(signal?: AbortSignal): Promise<void>;
  /** Sets the logits of all tokens that may not come next to -Infinity, in place. Needs a `prepare` before it. */
  apply(logits: Float32Array): void;
  /** Moves on by the token that was drawn. */
  accept(id: number): void;
  /** The answer is complete: nothing but its end may follow. */
  readonly done: boolean;
}
