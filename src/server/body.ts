import { ApiError } from './api-error.ts';

/**
 * The JSON of a request's body, of which no more than `maxBytes` are ever held.
 * @throws ApiError unsupported_encoding, request_too_large, invalid_json, cancelled (the client left in the middle)
 */
export async function readJson({ headers, body }: Request, maxBytes: number): Promise<unknown> {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    const message = `The body is encoded by ${encoding.slice(0, 40)}; send it as it is, without content-encoding.`;
    throw new ApiError('unsupported_encoding', message, { headers: { 'accept-encoding': 'identity' } });
  }
  const announced = Number(headers.get('content-length') ?? 0);
  if (announced > maxBytes) throw tooLarge(`${announced}`, maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLarge(`more than ${maxBytes}`, maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('cancelled', 'The client left while it sent its request.', { cause: error });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new ApiError('invalid_json', `The ${size} bytes of the body are not JSON in UTF-8.`);
  }
}

function tooLarge(size: string, maxBytes: number): ApiError {
  const message = `The body has ${size} bytes; the limit is ${maxBytes} bytes (--max-body-bytes).`;
  return new ApiError('request_too_large', message);
}
