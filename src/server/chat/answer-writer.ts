/** The common interface of the writers of both APIs, and the numbers of an answer. */
import type { Answer, Progress, TokenLogprobs, TokenProbability } from '../../index.ts';
import type { ApiError } from '../api-error.ts';
import type { EventStreamEvent } from './event-stream.ts';
import type { ChatRequest } from './request.ts';

/** Fields of all parts of an answer. */
export interface AnswerHead {
  id: string;
  /** Seconds since 1970. */
  created: number;
  model: string;
  fingerprint: string;
}

/** Writes the answers to one request in the form of one API, whole or as the events of a stream. */
export interface AnswerWriter {
  whole(answers: readonly Answer[]): object;
  begin(): EventStreamEvent[];
  progress(progress: Progress, elapsedMs: number): EventStreamEvent[];
  /** @param index index of the answer, if a request has several */
  text(index: number, text: string, logprobs: readonly TokenLogprobs[] | undefined): EventStreamEvent[];
  end(index: number, finished: Answer): EventStreamEvent[];
  /** Events after the end of all answers. */
  close(answers: readonly Answer[]): EventStreamEvent[];
  /** Events that replace the rest of the stream. */
  error(error: ApiError): EventStreamEvent[];
}

/** Ignored fields and omitted content; absent if there are none. */
export function warningsOf(warnings: readonly string[]) {
  return warnings.length > 0 && { warnings };
}

/** Regions of the image: requested evidence, and boxes of a grounding model. Absent if there are none. */
export function placesOf({ evidence, boxes }: Answer) {
  return { ...(evidence && { evidence }), ...(boxes && { boxes }) };
}

/** Whether the answer is complete: it was not cut by a limit or, for a format, by a stop string. */
export function isComplete({ finishReason, stopString }: Answer, { options }: ChatRequest): boolean {
  return finishReason === 'stop' && (stopString === null || options.format === undefined);
}

/** Usage of several answers to one prompt. The tokens of the prompt count once. */
export function totalUsage(answers: readonly Answer[]) {
  const { promptTokens, imageTokens, cachedTokens } = answers[0]!.usage;
  const completionTokens = answers.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  return { promptTokens, imageTokens, cachedTokens, completionTokens };
}

/** Log-probabilities of tokens in the format of both APIs. */
export function wireLogprobs(tokens: readonly TokenLogprobs[]) {
  const wire = ({ text, logprob, bytes }: TokenProbability) => ({ token: text, logprob, bytes });
  return tokens.map((token) => ({ ...wire(token), top_logprobs: token.top.map(wire) }));
}

/** Timings in milliseconds, with the names of llama-server, and more names for other measurements. */
export function timingsOf({ usage, timings }: Answer) {
  const prompt_n = usage.promptTokens - usage.cachedTokens;
  const predicted_n = usage.completionTokens;
  const all = {
    cache_n: usage.cachedTokens,
    prompt_n,
    prompt_ms: timings.prefillMs,
    prompt_per_second: perSecond(prompt_n, timings.prefillMs),
    predicted_n,
    predicted_ms: timings.decodeMs,
    predicted_per_second: perSecond(predicted_n, timings.decodeMs),
    image_decode_ms: timings.imageMs,
    image_encode_ms: timings.visionMs,
    queue_ms: timings.queueMs,
    first_token_ms: timings.firstTokenMs,
    total_ms: timings.totalMs,
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, Math.round(value * 100) / 100]),
  );
}

function perSecond(count: number, ms: number): number {
  return ms > 0 ? (count * 1000) / ms : 0;
}
