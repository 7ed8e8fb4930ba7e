/** The JSON of a request's body: bounded while it arrives, and read in small steps that never block the event loop. */
import { setImmediate } from 'node:timers/promises';
import { ApiError } from '../api-error.ts';
import { checkFields } from './check-fields.ts';
import { JsonScanner } from './json-scanner.ts';

export interface BodyLimits {
  /** Largest body, its images included. */
  maxBytes: number;
  /** Largest body without its images. */
  maxJsonBytes: number;
}

/** Bytes that are scanned in one step, and the time after which others have their turn. */
const STEP_BYTES = 65_536;
const TURN_MS = 10;

/**
 * @param onBytes is called with the number of bytes that have arrived
 * @param signal ends the reading, with its reason as the error
 * @throws ApiError unsupported_encoding, request_too_large, invalid_json, invalid_value, cancelled (the client left)
 */
export async function readJson(
  { headers, body }: Request,
  { maxBytes, maxJsonBytes }: BodyLimits,
  signal: AbortSignal,
  onBytes: (size: number) => void = () => {},
): Promise<unknown> {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    const message = `The body is encoded by ${encoding.slice(0, 40)}; send it as it is, without content-encoding.`;
    throw new ApiError('unsupported_encoding', message, { headers: { 'accept-encoding': 'identity' } });
  }
  const announced = Number(headers.get('content-length') ?? 0);
  if (announced > maxBytes) throw tooLarge(`${announced}`, maxBytes);
  const scanner = new JsonScanner(maxJsonBytes);
  let size = 0;
  let turnStartedAt = performance.now();
  for await (const chunk of chunksOf(body, signal)) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(`more than ${maxBytes}`, maxBytes);
    onBytes(size);
    for (let from = 0; from < chunk.byteLength; from += STEP_BYTES) {
      scanner.push(chunk.subarray(from, from + STEP_BYTES));
      if (performance.now() - turnStartedAt < TURN_MS) continue;
      await setImmediate();
      turnStartedAt = performance.now();
    }
  }
  let value: unknown;
  try {
    value = scanner.parse();
  } catch {
    throw new ApiError('invalid_json', `The ${size} bytes of the body are not JSON in UTF-8.`);
  }
  checkFields(value);
  return value;
}

/** The chunks of a body until the signal aborts. The stream is cancelled if it is not read to its end. */
async function* chunksOf(body: Request['body'], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  const stop = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener('abort', stop, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new ApiError('cancelled', 'The client left while it sent its request.', { cause: error });
  } finally {
    signal.removeEventListener('abort', stop);
    reader.releaseLock();
  }
}

function tooLarge(size: string, maxBytes: number): ApiError {
  const message = `The body has ${size} bytes; the limit is ${maxBytes} bytes (--max-body-bytes).`;
  return new ApiError('request_too_large', message);
}
