/** One thing of the input to be looked at: a picture or a PDF, with the questions about it. */
export interface Source {
  /** A file's path as it was found, or the row's id. */
  readonly id: string;
  /** How the output calls it: the path, or the beginning of a data URL. */
  readonly input: string;
  /** Where it is; a row's data URL is fetched from its file when its turn comes. */
  readonly location: { readonly path: string } | { readonly dataUrl: () => Promise<string> };
  readonly questions: readonly string[];
  /** From 1. Null is the picture, or all pages of a PDF. */
  readonly page: number | null;
}

/** What is wrong with a row of the input, which goes into the output in the place of an answer. */
export interface BrokenSource {
  readonly id: string;
  readonly input: string;
  readonly problem: string;
}
