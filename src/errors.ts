/**
 * The one error class that people meet. `code` is stable (documented in docs/errors.md, mapped to exit codes
 * and HTTP statuses); the message says what was wrong, the value, the limit and what to do.
 */
export class CogVLM2Error extends Error {
  readonly code: ErrorCode;
  /** The numbers in the message, where programs need them: `promptTokens` and `contextSize` of `context_length_exceeded`. */
  readonly details: Readonly<Record<string, number>>;

  constructor(code: ErrorCode, message: string, { details = {}, ...options }: CogVLM2ErrorOptions = {}) {
    super(message, options);
    this.name = 'CogVLM2Error';
    this.code = code;
    this.details = details;
  }
}

export interface CogVLM2ErrorOptions extends ErrorOptions {
  details?: Readonly<Record<string, number>>;
}

export type ErrorCode =
  /** A value given by the caller is outside its limits. */
  | 'invalid_value'
  /** An answer cannot be held to this JSON schema; the message names the place and the reason. */
  | 'invalid_json_schema'
  /** The file or folder is not there, or cannot be read. */
  | 'file_not_found'
  /** The bytes are not a picture that we read. */
  | 'invalid_image'
  /** The picture, or the bytes of it, are larger than the limit. */
  | 'image_too_large'
  /** The checkpoint's files are damaged, or do not fit each other. */
  | 'invalid_checkpoint'
  /** No model under that name. */
  | 'model_not_found'
  /** Prompt and answer do not fit the context. */
  | 'context_length_exceeded'
  /** As many questions wait as may. */
  | 'queue_full'
  /** No native library for this machine, or it does not load. */
  | 'engine_unavailable'
  /** A shape or type that the engine would abort on: a bug of ours, not of the user's. */
  | 'engine_bug'
  /** The engine could not get the memory. */
  | 'out_of_memory'
  /** Writing failed (disk full, no permission). */
  | 'write_failed'
  /** A model could not be fetched. */
  | 'download_failed'
  /** An OpenAI-compatible server, or the Redis of a queue, cannot be reached or answers nobody. */
  | 'endpoint_failed'
  /** An OpenAI-compatible server does not take this question. */
  | 'endpoint_refused'
  /** An answer was cut before its JSON was complete. */
  | 'answer_incomplete'
  /** An answer has the form that was asked for, but fails a check that the form cannot express. */
  | 'answer_rejected'
  /** Questions of a run have no answer yet; what has one was taken. */
  | 'answers_missing'
  /** Used after dispose. */
  | 'disposed'
  /** Stopped by the caller. */
  | 'aborted';
