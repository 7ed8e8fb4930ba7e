/** Checks a request before it waits for the model: its body, its image or video, and its number of tokens. */
import { MAX_BYTES_PER_TOKEN } from '../../generate/prepare-request.ts';
import type { PromptSize } from '../../index.ts';
import { ApiError } from '../api-error.ts';
import type { ChatContext } from '../app-parts.ts';
import type { AskRequest } from '../engine/protocol.ts';
import type { IncomingRequest } from './incoming.ts';
import type { Visual } from './messages.ts';
import type { ChatRequest, RequestRules } from './request.ts';
import { type RequestVisual, readRequestVisual } from './visual.ts';

/** Reads the body of one of the APIs. @throws ApiError */
export type RequestReader = (body: unknown, rules: RequestRules, acceptLanguage?: string) => ChatRequest;

export interface PreparedRequest {
  request: ChatRequest;
  visual: RequestVisual | null;
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
  const { question, history } = prompt;
  checkTextSize([question, ...history.flatMap((turn) => [turn.question, turn.answer])], contextSize);
  const visual = prompt.visual && (await readVisual(prompt.visual, options.template, context, signal));
  const frameTexts = visual?.video?.frameTexts;
  const size = await engine.call('check', visual !== null, { question, history, options }, frameTexts);
  // The limit of a request is an upper bound. The rest of the context may be less.
  const asked = Math.min(maxTokens ?? size.maxTokens, contextSize - size.promptTokens);
  const ask: AskRequest = {
    image: visual?.bytes ?? null,
    video: visual?.video ?? null,
    question,
    history,
    options: { ...options, maxTokens: Math.min(asked, rules.maxAnswerTokens), client },
  };
  const warnings = [...request.warnings, ...size.ignored.map((what) => `${what} of the schema was ignored`)];
  // The image's text in the body is not needed any more, because its bytes were read.
  return { request: { ...request, prompt: { ...prompt, visual: null }, warnings }, visual, ask, size };
}

async function readVisual(
  visual: Visual,
  template: ChatRequest['options']['template'],
  { engine, rules, metrics }: ChatContext,
  signal: AbortSignal,
): Promise<RequestVisual> {
  const startedAt = performance.now();
  const read = await readRequestVisual(visual, { info: engine.info, template }, rules, signal);
  metrics.image(read.source);
  if (read.source === 'url') metrics.time('imageFetch', performance.now() - startedAt);
  return read;
}

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
