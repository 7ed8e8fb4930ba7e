/** The lines of a batch's output. docs/batch.md promises their shape. */
import type { ErrorCode } from '../errors.ts';
import type { FinishReason, Timings, Usage } from '../generate/types.ts';

/** One question about one image, or about one page of a PDF. */
export interface Item {
  /** The line's `id` as JSON text: a path in quotes, or the row's id with every digit. */
  readonly idJson: string;
  readonly input: string;
  /** Of a PDF, from 1. */
  readonly page: number | null;
  readonly pageCount: number | null;
  /** Null where the input could not be read at all. */
  readonly question: string | null;
}

export interface Answered {
  readonly answer: string;
  readonly finishReason: Exclude<FinishReason, 'aborted'>;
  readonly seed: number;
  readonly usage: Usage;
  readonly timings: Omit<Timings, 'perTokenMs'>;
  readonly model: string;
  /** What of the request or the image was ignored or changed. */
  readonly warnings?: readonly string[] | undefined;
}

export function withWarnings(answered: Answered, warnings: readonly string[]): Answered {
  const all = [...new Set([...warnings, ...(answered.warnings ?? [])])];
  return all.length === 0 ? answered : { ...answered, warnings: all };
}

/** With a schema, `data` is the answer's JSON; null when the answer was cut. */
export type AnswerLine = Item & Answered & { readonly data?: unknown };

export type ErrorLine = Item & { readonly error: { readonly code: ErrorCode; readonly message: string } };

/** The line as JSON text. The id stays as it was written: `JSON.stringify` would round a number beyond 2^53. */
export function lineText({ idJson, ...rest }: AnswerLine | ErrorLine): string {
  return `{"id":${idJson},${JSON.stringify(rest).slice(1)}`;
}

/** Equal for the same question about the same input in the same file. */
export function keyOf({ idJson, input, page, question }: Item): string {
  return JSON.stringify([idJson, input, page, question]);
}
