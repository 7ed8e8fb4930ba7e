/** Requests to the server that served the page. */
import { isRecord, numberAt, recordAt, textAt } from './json.ts';

/** An error with the server's code, or with `unreachable` if there was no response. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  /** Loading progress of the server, from 0 to 1. */
  readonly progress: number | null;

  constructor(code: string, message: string, status = 0, progress: number | null = null) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
    this.progress = progress;
  }
}

/** An error in the form that is stored. */
export interface Failure {
  /** The server's code, or `unreachable`, `broken_off`, `unreadable`, `incomplete`; `page` for an error of the page. */
  code: string;
  /** The server's message. */
  message: string;
}

export function failureOf(error: unknown): Failure {
  const code = error instanceof ApiError ? error.code : 'page';
  return { code, message: error instanceof Error ? error.message : String(error) };
}

export interface Connection {
  apiKey: string;
}

/** @throws ApiError; the signal's reason after an abort. */
export async function request(
  connection: Connection,
  path: string,
  init: RequestInit & { json?: unknown } = {},
): Promise<Response> {
  const { json, ...rest } = init;
  const headers = new Headers(rest.headers);
  if (connection.apiKey !== '') headers.set('authorization', `Bearer ${connection.apiKey}`);
  if (json !== undefined) headers.set('content-type', 'application/json');
  let response: Response;
  try {
    response = await fetch(path, {
      ...rest,
      headers,
      cache: 'no-store',
      ...(json !== undefined && { method: 'POST', body: JSON.stringify(json) }),
    });
  } catch (error) {
    if (rest.signal?.aborted) throw rest.signal.reason;
    throw new ApiError('unreachable', error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

/** The object of a JSON answer. */
export async function requestJson(connection: Connection, path: string, init: RequestInit = {}) {
  const value: unknown = await (await request(connection, path, init)).json().catch(() => null);
  if (!isRecord(value)) throw new ApiError('unreadable', `${path} did not answer with a JSON object.`);
  return value;
}

async function errorOf(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  return apiErrorOf(body, response.status);
}

/** The error object of the API, from a response body or from a stream. */
export function apiErrorOf(body: unknown, status = 0): ApiError {
  const error = recordAt(body, 'error');
  const code = textAt(error, 'code') ?? (status === 401 ? 'invalid_api_key' : `http_${status}`);
  const progress = isRecord(body) ? (numberAt(body, 'progress') ?? numberAt(error, 'progress')) : null;
  return new ApiError(code, textAt(error, 'message') ?? `HTTP ${status}`, status, progress);
}
