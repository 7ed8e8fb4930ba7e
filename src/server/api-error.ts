/** Errors of the API, in OpenAI's format. Each code has an HTTP status and a type. */
import { CogVLM2Error } from '../errors.ts';

const STATUSES = {
  invalid_json: 400,
  invalid_value: 400,
  unsupported: 400,
  context_length_exceeded: 400,
  invalid_image: 400,
  invalid_image_format: 400,
  image_too_large: 400,
  image_url_blocked: 400,
  image_fetch_failed: 400,
  invalid_json_schema: 400,
  invalid_api_key: 401,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  not_found: 404,
  model_not_found: 404,
  request_not_found: 404,
  method_not_allowed: 405,
  upload_too_slow: 408,
  request_too_large: 413,
  unsupported_encoding: 415,
  rate_limited: 429,
  cancelled: 499,
  engine_failed: 500,
  model_loading: 503,
  engine_stopped: 503,
  out_of_memory: 503,
  queue_full: 503,
  shutting_down: 503,
  slow_reader: 503,
  request_timeout: 504,
} as const;

export type ApiCode = keyof typeof STATUSES;
export type ApiStatus = (typeof STATUSES)[ApiCode];
export const API_STATUSES: Readonly<Record<ApiCode, ApiStatus>> = STATUSES;

/** The numbers of `context_length_exceeded`, with the names of llama-server. */
export type ErrorNumbers = Partial<Record<'n_prompt_tokens' | 'n_ctx', number>>;

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: ApiCode } & ErrorNumbers;
}

export interface ApiErrorDetails extends ErrorOptions {
  /** The wrong field of the request. */
  param?: string;
  headers?: Record<string, string>;
  numbers?: ErrorNumbers;
}

export class ApiError extends Error {
  readonly code: ApiCode;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly numbers: Readonly<ErrorNumbers>;

  constructor(
    code: ApiCode,
    message: string,
    { param, headers = {}, numbers = {}, ...options }: ApiErrorDetails = {},
  ) {
    super(message, options);
    this.name = 'ApiError';
    this.code = code;
    this.param = param ?? null;
    this.headers = headers;
    this.numbers = numbers;
  }

  get status(): ApiStatus {
    return STATUSES[this.code];
  }

  get body(): ErrorBody {
    const { message, param, code, numbers } = this;
    return { error: { message, type: typeOf(this.status), param, code, ...numbers } };
  }
}

/** The abort reason for a request whose client disconnected. */
export function clientLeft(): ApiError {
  return new ApiError('cancelled', 'The client disconnected.');
}

/** Clients retry a 503 automatically, twice and at once. This header prevents it if only waiting helps. */
export const DO_NOT_RETRY = { 'x-should-retry': 'false' };

/**
 * Converts any error to the error for the client. For an unexpected error, the client only gets the id of the request, to find it in
 * the log.
 * @param requestId the id of the request
 */
export function apiErrorOf(error: unknown, requestId: string): ApiError {
  if (error instanceof ApiError) return error;
  const code = error instanceof CogVLM2Error ? PASSED_ON[error.code] : undefined;
  if (error instanceof CogVLM2Error && code !== undefined) {
    const param = PARAMS[code];
    const { promptTokens, contextSize } = error.details;
    const numbers = {
      ...(promptTokens !== undefined && { n_prompt_tokens: promptTokens }),
      ...(contextSize !== undefined && { n_ctx: contextSize }),
    };
    const message = inWireNames(error.message);
    return new ApiError(code, message, { cause: error, numbers, ...(param !== undefined && { param }) });
  }
  return new ApiError(
    'engine_failed',
    `The server failed on this request. Its log has the details under ${requestId}.`,
    {
      cause: error,
    },
  );
}

/** Errors of the library that the request caused, or that the client can correct. */
const PASSED_ON: Partial<Record<string, ApiCode>> = {
  invalid_value: 'invalid_value',
  invalid_image: 'invalid_image',
  image_too_large: 'image_too_large',
  invalid_json_schema: 'invalid_json_schema',
  context_length_exceeded: 'context_length_exceeded',
  queue_full: 'queue_full',
  out_of_memory: 'out_of_memory',
  aborted: 'cancelled',
};

/** The wrong field for these errors, if it is known. */
const PARAMS: Partial<Record<ApiCode, string>> = {
  invalid_image: 'messages',
  image_too_large: 'messages',
  invalid_json_schema: 'response_format',
  context_length_exceeded: 'messages',
};

/** The library uses the name `maxTokens`, and the API `max_tokens`. */
function inWireNames(message: string): string {
  return message.replaceAll(
    /\b(max|top|min|repetition)(Tokens|K|P|Penalty)\b/g,
    (_, a: string, b: string) => {
      return `${a}_${b.toLowerCase()}`;
    },
  );
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
