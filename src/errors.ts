/**
 * The class of all errors for users. `code` is stable: docs/errors.md describes it, and it decides the exit status and the HTTP
 * status. The message says what was wrong, with the value, the limit and what to do.
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
  /** A value of the caller is outside its limits. */
  | 'invalid_value'
  /** This JSON schema cannot be enforced. The message has the place and the reason. */
  | 'invalid_json_schema'
  /** The file or folder does not exist or cannot be read. */
  | 'file_not_found'
  /** The bytes are not an image in a supported format, or the image is damaged. */
  | 'invalid_image'
  /** The image or its file is larger than the limit. */
  | 'image_too_large'
  /** The files of the checkpoint are damaged or inconsistent. */
  | 'invalid_checkpoint'
  /** There is no model of that name. */
  | 'model_not_found'
  /** Prompt and answer do not fit into the context. */
  | 'context_length_exceeded'
  /** The queue is full. */
  | 'queue_full'
  /** There is no native library for this machine, or it does not load. */
  | 'engine_unavailable'
  /** A shape or type on which ggml would abort: a bug in this program. */
  | 'engine_bug'
  /** Memory could not be allocated. */
  | 'out_of_memory'
  /** Writing failed (disk full, permission denied). */
  | 'write_failed'
  /** A model could not be downloaded. */
  | 'download_failed'
  /** An OpenAI-compatible server or the Redis of a queue cannot be reached or refuses all requests. */
  | 'endpoint_failed'
  /** An OpenAI-compatible server does not take this question. */
  | 'endpoint_refused'
  /** An answer was cut before its JSON was complete. */
  | 'answer_incomplete'
  /** An answer follows the schema, but fails a check that the schema cannot express. */
  | 'answer_rejected'
  /** Some questions of a run have no answer. The others were used. */
  | 'answers_missing'
  /** An object was used after `dispose()`. */
  | 'disposed'
  /** The caller stopped it. */
  | 'aborted';
