/** The JSON of a request's body: bounded while it arrives, and read in small steps that never block the event loop. */
import { setImmediate } from 'node:timers/promises';
import { ApiError } from '../api-error.ts';
import { checkFields } from './check-fields.ts';
import { bodyChunks, type UnreadRequest } from './chunks.ts';
import { JsonScanner } from './json-scanner.ts';

export interface BodyLimits {
  /** Largest body, its images included. */
  maxBytes: number;
  /** Largest body without its images. */
  maxJsonBytes: number;
}

/** Bytes that are scanned in one step, and the time after which others have their turn. */
const STEP_BYTES = 16_384;
const TURN_MS = 10;

/**
 * @param onBytes is called with the number of bytes that have arrived
 * @param signal ends the reading, with its reason as the error
 * @throws ApiError unsupported_encoding, request_too_large, invalid_json, invalid_value, cancelled (the client left)
 */
export async function readJson(
  request: UnreadRequest,
  { maxBytes, maxJsonBytes }: BodyLimits,
  signal: AbortSignal,
  onBytes: (size: number) => void = () => {},
): Promise<unknown> {
  const scanner = new JsonScanner(maxJsonBytes);
  let size = 0;
  let turnStartedAt = performance.now();
  for await (const chunk of bodyChunks(request, maxBytes, signal)) {
    size += chunk.byteLength;
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
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('invalid_json', `The ${size} bytes of the body are not JSON in UTF-8.`);
  }
  checkFields(value);
  return value;
}
