/** The lines of a batch's output; docs/batch.md promises their shape. */
import type { ErrorCode } from '../errors.ts';
import type { FinishReason, Timings, Usage } from '../generate/types.ts';

/** What is asked: one question about one picture, or about one page of a PDF. */
export interface Item {
  /** The file's path as it was found, or the row's id. */
  readonly id: string;
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
}

/** With `--schema`, `data` is the answer's JSON; null when the answer was cut. */
export type AnswerLine = Item & Answered & { readonly data?: unknown };

export type ErrorLine = Item & { readonly error: { readonly code: ErrorCode; readonly message: string } };
