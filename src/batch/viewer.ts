/** Who looks at the pictures and answers: a model in this process, or workers behind a queue. */
import type { Answered, Item } from './line.ts';

/** Encoded bytes; or the file of a picture or a PDF, whose page is from 1. */
export type Picture = Uint8Array | { readonly path: string; readonly page: number | null };

export interface Viewer {
  /** Takes a picture up for so many questions. */
  look(picture: Picture, questions: number, signal: AbortSignal): Promise<Looking>;
}

/** Disposed when its answers are kept. */
export interface Looking extends AsyncDisposable {
  ask(item: Item, signal: AbortSignal): Promise<Answered>;
}
