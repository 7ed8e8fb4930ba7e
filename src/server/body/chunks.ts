/** The bytes of a request's body while they arrive, with a limit. */
import { ApiError } from '../api-error.ts';

/**
 * The chunks of a body. The stream is cancelled if it is not read to its end.
 * @param signal ends the reading, with its reason as the error
 * @throws ApiError unsupported_encoding, request_too_large, cancelled (the client left)
 */
export async function* bodyChunks(
  { headers, body }: Request,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    const message = `The body is encoded by ${encoding.slice(0, 40)}; send it as it is, without content-encoding.`;
    throw new ApiError('unsupported_encoding', message, { headers: { 'accept-encoding': 'identity' } });
  }
  const announced = Number(headers.get('content-length') ?? 0);
  if (announced > maxBytes) throw tooLarge(`${announced}`, maxBytes);
  let size = 0;
  for await (const chunk of chunksUntil(body, signal)) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(`more than ${maxBytes}`, maxBytes);
    yield chunk;
  }
}

/** All bytes of a body. @throws ApiError those of `bodyChunks` */
export async function readBytes(
  request: Request,
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
  return Buffer.concat(chunks, size);
}

async function* chunksUntil(body: Request['body'], signal: AbortSignal): AsyncGenerator<Uint8Array> {
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
