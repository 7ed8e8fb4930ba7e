/** Everything about a request that is checked before it waits for the model: its body, its image, and its size in tokens. */
import type { PromptSize } from '../../index.ts';
import { ApiError } from '../api-error.ts';
import type { ChatContext } from '../app-parts.ts';
import type { ImageText } from '../body/long-string.ts';
import type { AskRequest } from '../engine/protocol.ts';
import { type RequestImage, readRequestImage } from './image.ts';
import type { IncomingRequest } from './incoming.ts';
import type { ChatRequest, RequestRules } from './request.ts';

/** Reads the body of one of the APIs. @throws ApiError */
export type RequestReader = (body: unknown, rules: RequestRules, acceptLanguage?: string) => ChatRequest;

export interface PreparedRequest {
  request: ChatRequest;
  image: RequestImage | null;
  ask: AskRequest;
  size: PromptSize;
}

/** @throws ApiError; CogVLM2Error those of `check` */
export async function prepareRequest(
  { client, acceptLanguage }: Pick<IncomingRequest, 'client' | 'acceptLanguage'>,
  readBody: () => Promise<unknown>,
  read: RequestReader,
  context: ChatContext,
  signal: AbortSignal,
): Promise<PreparedRequest> {
  const { engine, rules } = context;
  // Throws while the model loads, before the body with its image is read.
  const { contextSize } = engine.info;
  const request = read(await readBody(), rules, acceptLanguage);
  const { prompt, options, maxTokens } = request;
  const { question, history, imageUrl } = prompt;
  checkTextSize([question, ...history.flatMap((turn) => [turn.question, turn.answer])], contextSize);
  const image = imageUrl === null ? null : await readImage(imageUrl, context, signal);
  const size = await engine.call('check', image !== null, { question, history, options });
  // The limit of a request is an upper bound: what the context leaves is enough.
  const asked = Math.min(maxTokens ?? size.maxTokens, contextSize - size.promptTokens);
  const ask: AskRequest = {
    image: image?.bytes ?? null,
    question,
    history,
    options: { ...options, maxTokens: Math.min(asked, rules.maxAnswerTokens), client },
  };
  const warnings = [...request.warnings, ...size.ignored.map((what) => `${what} of the schema was ignored`)];
  // The body's image is not needed any more; the decoded bytes are.
  return { request: { ...request, prompt: { ...prompt, imageUrl: null }, warnings }, image, ask, size };
}

async function readImage(url: ImageText, { rules, metrics }: ChatContext, signal: AbortSignal) {
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
    `This model's maximum context length is ${contextSize} tokens. However, the prompt is too long: it has ${sizeBytes} bytes; at most ${limit} could fit. Shorten the text.`,
    { param: 'messages', numbers: { n_ctx: contextSize } },
  );
}
