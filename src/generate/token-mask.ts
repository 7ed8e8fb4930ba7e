/** What keeps one answer to a form while it is sampled. One for each sequence, whatever else runs beside it. */
export interface TokenMask extends Disposable {
  /** Sets the logits of all tokens that may not come next to -Infinity, in place. */
  apply(logits: Float32Array): void;
  /** The token that was drawn; the next `apply` is for what may follow it. */
  accept(id: number): Promise<void>;
  /** The form is complete: nothing but the end of the answer may follow. */
  readonly done: boolean;
}
