/** What keeps one answer to a form while it is sampled. One for each sequence, whatever else runs beside it. */
export interface TokenMask {
  /** Works out what may come next; others have their turn while it does. @throws the signal's reason */
  look(signal?: AbortSignal): Promise<void>;
  /** Sets the logits of all tokens that may not come next to -Infinity, in place. Needs a `look` before it. */
  apply(logits: Float32Array): void;
  /** The token that was drawn. */
  accept(id: number): void;
  /** The form is complete: nothing but the end of the answer may follow. */
  readonly done: boolean;
}
