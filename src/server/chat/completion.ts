/** Answers in OpenAI's words: the plain object, the chunks of a stream, and what stands in both. */
import type { Answer, Progress, TokenLogprobs, TokenProbability, Usage } from '../../index.ts';

/** What all chunks of an answer have in common. */
export interface AnswerHead {
  id: string;
  /** Seconds since 1970. */
  created: number;
  model: string;
  system_fingerprint: string;
}

export type WireFinishReason = 'stop' | 'length';

export function completion(head: AnswerHead, answer: Answer, queueMs: number, warnings: readonly string[]) {
  const message = { role: 'assistant', content: answer.text, refusal: null };
  return {
    ...head,
    object: 'chat.completion',
    choices: [
      { index: 0, message, logprobs: logprobsOf(answer.logprobs), finish_reason: finishReasonOf(answer) },
    ],
    usage: usageOf(answer.usage),
    timings: timingsOf(answer, queueMs),
    seed: answer.seed,
    ...(warnings.length > 0 && { warnings }),
  };
}

export interface Delta {
  role?: 'assistant';
  content?: string;
}

/** With `usage: null` where it was asked for, as OpenAI's own chunks before the last have it. */
export function chunk(
  head: AnswerHead,
  delta: Delta,
  finish_reason: WireFinishReason | null,
  includeUsage: boolean,
  logprobs?: readonly TokenLogprobs[],
) {
  return {
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: logprobsOf(logprobs), finish_reason }],
    ...(includeUsage && { usage: null }),
  };
}

export function usageChunk(head: AnswerHead, usage: Usage) {
  return { ...head, object: 'chat.completion.chunk', choices: [], usage: usageOf(usage) };
}

/** `vision` counts layers of the tower, `prefill` tokens of the prompt, those in the cache included. */
export function progressChunk(
  head: AnswerHead,
  { stage, done, total }: Progress,
  timeMs: number,
  includeUsage: boolean,
) {
  const prompt_progress = { stage, total, processed: done, time_ms: Math.round(timeMs) };
  return {
    ...head,
    object: 'chat.completion.chunk',
    choices: [],
    ...(includeUsage && { usage: null }),
    prompt_progress,
  };
}

function logprobsOf(tokens: readonly TokenLogprobs[] | undefined) {
  if (tokens === undefined) return null;
  const wire = ({ text, logprob, bytes }: TokenProbability) => ({ token: text, logprob, bytes });
  const content = tokens.map((token) => ({ ...wire(token), top_logprobs: token.top.map(wire) }));
  return { content, refusal: null };
}

export function finishReasonOf({ finishReason }: Answer): WireFinishReason {
  return finishReason === 'length' ? 'length' : 'stop';
}

export function usageOf({ promptTokens, imageTokens, cachedTokens, completionTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, image_tokens: imageTokens },
  };
}

/** llama-server's names, and ours for what it has none for; milliseconds. */
export function timingsOf({ usage, timings }: Answer, queueMs: number) {
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
    queue_ms: queueMs,
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
