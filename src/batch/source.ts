/** What a batch asks about, as it was named. */

/** An image or a PDF with the questions about it. */
export interface Source {
  /** The `id` of the output as JSON text: the path of the file, or the row's own id with every digit. */
  readonly idJson: string;
  /** What the output calls it: the path, or the beginning of a data URL. */
  readonly input: string;
  /** A data URL is read from its file again when its turn comes, so that memory holds one of them. */
  readonly location: { readonly path: string } | { readonly dataUrl: () => Promise<string> };
  readonly questions: readonly string[];
  /** From 1; null is the image, or all pages of a PDF. */
  readonly page: number | null;
}

/** A row that cannot be asked. The output gets an error line for it. */
export interface BrokenSource {
  readonly idJson: string;
  readonly input: string;
  readonly problem: string;
}
