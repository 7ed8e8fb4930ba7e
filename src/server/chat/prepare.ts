/** Everything about a request that is checked before it waits for the model: its body, its image, and its size in tokens. */
import type { PromptSize } from '../../index.ts';
import { ApiError } from '../api-error.ts';
import type { ChatContext } from './context.ts';
import { type RequestImage, readRequestImage } from './image.ts';
import { type ChatRequest, readChatRequest } from './request.ts';

export interface PreparedRequest {
  request: ChatRequest;
  image: RequestImage | null;
  size: PromptSize;
}

/** @throws ApiError; CogVLM2Error those of `check` */
export async function prepareRequest(
  readBody: () => Promise<unknown>,
  context: ChatContext,
  signal: AbortSignal,
): Promise<PreparedRequest> {
  const { engine, rules } = context;
  // Throws while the model loads, before the body with its image is read.
  const { contextSize } = engine.info;
  const request = readChatRequest(await readBody(), rules.names, rules.maxAnswerTokens);
  const { prompt, options } = request;
  const { question, history, imageUrl } = prompt;
  checkTextSize([question, ...history.flatMap((turn) => [turn.question, turn.answer])], contextSize);
  const image = imageUrl === null ? null : await readImage(imageUrl, context, signal);
  const size = await engine.call('check', image !== null, { question, history, options });
  return { request, image, size };
}

async function readImage(url: string, { rules, metrics }: ChatContext, signal: AbortSignal) {
  const startedAt = performance.now();
  const image = await readRequestImage(url, rules, signal);
  metrics.image(image.source);
  if (image.source === 'url') metrics.time('imageFetch', performance.now() - startedAt);
  return image;
}

/** Longer text cannot fit the context. The tokenizer would take seconds to say so. */
const MAX_BYTES_PER_TOKEN = 16;

/** @throws ApiError context_length_exceeded */
export function checkTextSize(texts: readonly string[], contextSize: number): void {
  const sizeBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const limit = MAX_BYTES_PER_TOKEN * contextSize;
  if (sizeBytes <= limit) return;
  throw new ApiError(
    'context_length_exceeded',
    `The text has ${sizeBytes} bytes; ${limit} are the most that could fit the context of ${contextSize} tokens. Shorten the text.`,
    { param: 'messages' },
  );
}
