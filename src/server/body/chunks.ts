/** The bytes of a request's body while they arrive, with a limit. */
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { ApiError } from '../api-error.ts';
import { inTurn } from '../pipelining.ts';

/**
 * A request whose body was not read yet. The body is a stream of Node.js, because a web stream needs seconds for a body in
 * chunks of one byte.
 */
export interface UnreadRequest {
  headers: Headers;
  /** Null if there is no body. */
  body: Readable | null;
}

/**
 * The chunks of a body. Chunks that the caller does not read stay in the stream.
 * @param signal ends the reading, with its reason as the error
 * @throws ApiError unsupported_encoding, request_too_large, cancelled (the client left)
 */
export async function* bodyChunks(
  { headers, body }: UnreadRequest,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    const message = `The body is encoded by ${encoding.slice(0, 40)}; send it without content-encoding.`;
    throw new ApiError('unsupported_encoding', message, { headers: { 'accept-encoding': 'identity' } });
  }
  const announced = Number(headers.get('content-length') ?? 0);
  if (announced > maxBytes) throw tooLarge(`${announced}`, maxBytes);
  let size = 0;
  if (body === null) return;
  for await (const chunk of chunksUntil(body, signal)) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(`more than ${maxBytes}`, maxBytes);
    yield chunk;
  }
}

/** All bytes of a body. @throws ApiError those of `bodyChunks` */
export async function readBytes(
  request: UnreadRequest,
  maxBytes: number,
  signal: AbortSignal,
  onBytes: (size: number) => void = () => {},
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyChunks(request, maxBytes, signal)) {
    chunks.push(chunk);
    size += chunk.byteLength;
    onBytes(size);
  }
  return joinInSteps(chunks);
}

/** Bytes that are copied in one turn of the event loop: about a millisecond, with new memory. */
const JOIN_STEP_BYTES = 2 ** 20;

/** `Buffer.concat` would block the event loop for 50 ms for a body of 30 MB. */
export async function joinInSteps(chunks: readonly Uint8Array[]): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafeSlow(chunks.reduce((size, chunk) => size + chunk.byteLength, 0));
  let at = 0;
  let inThisTurn = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
    inThisTurn += chunk.byteLength;
    if (inThisTurn >= JOIN_STEP_BYTES) {
      await setImmediate();
      inThisTurn = 0;
    }
  }
  return whole;
}

async function* chunksUntil(body: Readable, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (;;) {
    signal.throwIfAborted();
    const chunk: unknown = body.read();
    if (chunk instanceof Uint8Array) yield chunk;
    else if (body.readableEnded) return;
    else if (body.destroyed) {
      // Hundreds of clients may disconnect at the same moment.
      await new Promise<void>(inTurn);
      throw new ApiError('cancelled', 'The client disconnected while it sent its request.', {
        cause: body.errored,
      });
    } else await changeOf(body, signal);
  }
}

/** Resolves if the stream has more bytes, has ended or failed, or if the signal is aborted. */
function changeOf(body: Readable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'error', 'close'];
    const finish = () => {
      for (const event of events) body.off(event, finish);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    for (const event of events) body.on(event, finish);
    signal.addEventListener('abort', finish);
  });
}

function tooLarge(size: string, maxBytes: number): ApiError {
  const message = `The body has ${size} bytes; the limit is ${maxBytes} bytes (--max-body-bytes).`;
  return new ApiError('request_too_large', message);
}
