/** An HTTP request for the handlers: its id, its client, its place in the queue, its body, and a signal for a lost connection. */
import { Readable } from 'node:stream';
import type { Context } from 'hono';
import type { Admitted } from '../admission.ts';
import { ApiError } from '../api-error.ts';
import type { AppParts, Env } from '../app-parts.ts';
import { readBytes, type UnreadRequest } from '../body/chunks.ts';
import { readJson } from '../body/read-json.ts';
import { inTurn } from '../pipelining.ts';

/** A request is in the queue before its body is read. This limits the memory for bodies. */
export interface IncomingRequest {
  id: string;
  client: string;
  /** A header; undefined if it is absent. */
  acceptLanguage: string | undefined;
  /** The handler calls `leave()` at the end. */
  place: Admitted;
  /** @throws ApiError those of `readJson`, upload_too_slow; the signal's reason */
  readBody(signal: AbortSignal): Promise<unknown>;
  /** The bytes of the body. @throws ApiError those of `readBytes`, upload_too_slow; the signal's reason */
  readBytes(signal: AbortSignal): Promise<Uint8Array>;
  /** Aborted when the client has disconnected. */
  disconnected: AbortSignal;
}

/** @throws ApiError queue_full, rate_limited */
export function incomingRequest(
  c: Context<Env>,
  { bodyLimits, admission, uploads }: AppParts,
): IncomingRequest {
  const client = c.get('client');
  let place: Admitted;
  try {
    place = admission.enter(client);
  } catch (error) {
    if (!uploads.makeRoom()) throw error;
    place = admission.enter(client);
  }
  const request = unreadRequest(c);
  return {
    id: c.get('id'),
    client,
    acceptLanguage: c.req.header('accept-language'),
    place,
    readBody: (signal) =>
      uploads.watch(signal, place.leave, (signal, onBytes) => readJson(request, bodyLimits, signal, onBytes)),
    readBytes: (signal) =>
      uploads.watch(signal, place.leave, (signal, onBytes) =>
        readBytes(request, bodyLimits.maxBytes, signal, onBytes),
      ),
    disconnected: leavingInTurn(c.req.raw.signal),
  };
}

/** Hundreds of clients may disconnect at the same moment. */
function leavingInTurn(disconnected: AbortSignal): AbortSignal {
  const left = new AbortController();
  disconnected.addEventListener('abort', () => inTurn(() => left.abort(disconnected.reason)), { once: true });
  if (disconnected.aborted) left.abort(disconnected.reason);
  return left.signal;
}

/** The body of a request without a socket (in tests) is a web stream. */
function unreadRequest({ env, req: { raw } }: Context<Env>): UnreadRequest {
  // Reading `raw.body` makes Hono build a whole web request, so it is the second choice.
  const body = env?.incoming ?? (raw.body && Readable.fromWeb(raw.body));
  return { headers: raw.headers, body };
}

/** Reads and processes the body, for at most the time limit. The request is in the queue during this time. */
export async function withBody<T>(
  c: Context<Env>,
  parts: AppParts,
  work: (body: unknown, signal: AbortSignal, incoming: IncomingRequest) => Promise<T>,
): Promise<T> {
  const incoming = incomingRequest(c, parts);
  const { place, readBody, disconnected } = incoming;
  const limit = new AbortController();
  const { timeLimitMs } = parts.rules;
  const timer = setTimeout(() => {
    const message = `The request took longer than ${timeLimitMs / 1000} s (--time-limit-seconds).`;
    limit.abort(new ApiError('request_timeout', message));
  }, timeLimitMs);
  const signal = AbortSignal.any([limit.signal, disconnected]);
  try {
    return await work(await readBody(signal), signal, incoming);
  } finally {
    clearTimeout(timer);
    place.leave();
  }
}
