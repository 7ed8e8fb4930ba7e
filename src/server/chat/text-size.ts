import { ApiError } from '../api-error.ts';

/** No text has so few tokens for its bytes that it would fit; the tokenizer takes seconds to find that out. */
const BYTES_PER_TOKEN = 16;

/** @throws ApiError context_length_exceeded */
export function checkTextSize(texts: readonly string[], contextSize: number): void {
  const sizeBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const limit = BYTES_PER_TOKEN * contextSize;
  if (sizeBytes <= limit) return;
  throw new ApiError(
    'context_length_exceeded',
    `The text has ${sizeBytes} bytes; ${limit} are the most that could fit the context of ${contextSize} tokens. Shorten the text.`,
    { param: 'messages' },
  );
}
