/** A request read and found right, before it takes a turn: its body, its picture, and what both take of the context. */
import type { PromptSize } from '../../index.ts';
import { type RequestImage, readRequestImage } from './image.ts';
import type { ChatParts } from './parts.ts';
import { type ChatRequest, readChatRequest } from './request.ts';
import { checkTextSize } from './text-size.ts';

/** What is known of a request before its body is read. */
export interface Arrival {
  id: string;
  client: string;
  readBody(): Promise<unknown>;
  /** Aborted when the client has left. */
  left: AbortSignal;
}

export interface CheckedRequest {
  request: ChatRequest;
  image: RequestImage | null;
  size: PromptSize;
}

/** @throws ApiError; CogVLM2Error those of `check` */
export async function checkRequest(
  arrival: Arrival,
  parts: ChatParts,
  signal: AbortSignal,
): Promise<CheckedRequest> {
  const { engine, rules } = parts;
  // Before the body: while the model loads, nobody has to send a picture to be told so.
  const { contextSize } = engine.info;
  const request = readChatRequest(await arrival.readBody(), rules.names, rules.maxAnswerTokens);
  const { prompt, options } = request;
  const { question, history, imageUrl } = prompt;
  checkTextSize([question, ...history.flatMap((turn) => [turn.question, turn.answer])], contextSize);
  const image = imageUrl === null ? null : await readImage(imageUrl, parts, signal);
  const size = await engine.call('check', image !== null, { question, history, options });
  return { request, image, size };
}

async function readImage(url: string, { rules, metrics }: ChatParts, signal: AbortSignal) {
  const startedAt = performance.now();
  const image = await readRequestImage(url, rules, signal);
  metrics.image(image.source);
  if (image.source === 'url') metrics.time('imageFetch', performance.now() - startedAt);
  return image;
}
