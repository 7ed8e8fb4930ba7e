/** Writes answers as OpenAI chat completions: the whole object, or the chunks of a stream. */

import type { ToolCall } from '../../generate/required-call.ts';
import type { Answer, Progress, TokenLogprobs } from '../../index.ts';
import type { ApiError } from '../api-error.ts';
import {
  type AnswerHead,
  type AnswerWriter,
  isComplete,
  placesOf,
  timingsOf,
  totalUsage,
  warningsOf,
  wireLogprobs,
} from './answer-writer.ts';
import type { EventStreamEvent } from './event-stream.ts';
import type { ChatRequest } from './request.ts';

export class CompletionsWriter implements AnswerWriter {
  readonly #head: object;
  readonly #id: string;
  readonly #request: ChatRequest;
  /** For each answer, how many tokens were sent with their log-probabilities. */
  readonly #sentLogprobs: number[];
  /** For each answer, whether the head of its tool call was sent. */
  readonly #hasCall: boolean[];

  constructor({ id, created, model, fingerprint }: AnswerHead, request: ChatRequest) {
    this.#id = id;
    this.#head = { id, created, model, system_fingerprint: fingerprint };
    this.#request = request;
    this.#sentLogprobs = Array<number>(request.n).fill(0);
    this.#hasCall = Array<boolean>(request.n).fill(false);
  }

  whole(answers: readonly Answer[]): object {
    return {
      ...this.#head,
      object: 'chat.completion',
      choices: answers.map((answer, index) => ({
        index,
        message: { role: 'assistant', ...this.#contentOf(index, answer), refusal: null },
        logprobs: logprobsOf(answer.logprobs),
        finish_reason: this.#finishReasonOf(answer),
        stop_reason: answer.stopString,
        ...placesOf(answer),
      })),
      usage: usageOf(answers),
      timings: timingsOf(answers[0]!),
      seed: answers[0]!.seed,
      ...warningsOf([...this.#request.warnings, ...answers[0]!.warnings]),
    };
  }

  begin(): EventStreamEvent[] {
    return Array.from({ length: this.#request.n }, (_, index) => ({
      data: {
        ...this.#chunk(index, { role: 'assistant', content: this.#request.call ? null : '' }),
        ...(index === 0 && warningsOf(this.#request.warnings)),
      },
    }));
  }

  /** `vision` counts layers of the vision tower, `prefill` tokens of the prompt, cached ones included. */
  progress({ stage, done, total }: Progress, elapsedMs: number): EventStreamEvent[] {
    if (!this.#request.returnProgress) return [];
    const prompt_progress = { stage, total, processed: done, time_ms: Math.round(elapsedMs) };
    return [{ data: { ...this.#chunkWithout(), prompt_progress } }];
  }

  text(index: number, text: string, logprobs: readonly TokenLogprobs[] | undefined): EventStreamEvent[] {
    const { call } = this.#request;
    this.#sentLogprobs[index]! += logprobs?.length ?? 0;
    if (call === undefined) return [{ data: this.#chunk(index, { content: text }, null, logprobs) }];
    // If there are several tools, the call is sent when it is complete.
    if (!call.isSingle) return [];
    const { name } = call.callIn('', false)!;
    return [{ data: this.#chunk(index, this.#callDelta(index, { name, arguments: text }), null, logprobs) }];
  }

  end(index: number, answer: Answer): EventStreamEvent[] {
    const events: EventStreamEvent[] = [];
    const call = this.#hasCall[index] ? null : this.#callIn(answer);
    if (call) events.push({ data: this.#chunk(index, this.#callDelta(index, call)) });
    // Tokens without text, such as those of a stop string, were not sent yet.
    const unsent = answer.logprobs?.slice(this.#sentLogprobs[index]);
    const { choices, ...last } = this.#chunk(index, {}, this.#finishReasonOf(answer), unsent);
    const choice = { ...choices[0], stop_reason: answer.stopString, ...placesOf(answer) };
    const warnings = index === 0 ? answer.warnings : [];
    events.push({
      data: {
        ...last,
        choices: [choice],
        timings: timingsOf(answer),
        seed: answer.seed,
        ...warningsOf(warnings),
      },
    });
    return events;
  }

  close(answers: readonly Answer[]): EventStreamEvent[] {
    const usage = { ...this.#chunkWithout(), usage: usageOf(answers) };
    return [...(this.#request.includeUsage ? [{ data: usage }] : []), { data: '[DONE]' }];
  }

  error({ body }: ApiError): EventStreamEvent[] {
    return [{ data: body }];
  }

  #contentOf(index: number, answer: Answer) {
    const call = this.#callIn(answer);
    if (call === null) return { content: this.#request.call ? null : answer.text };
    return { content: null, tool_calls: [{ id: this.#callId(index), type: 'function', function: call }] };
  }

  #callIn(answer: Answer): ToolCall | null {
    return this.#request.call?.callIn(answer.text, isComplete(answer, this.#request)) ?? null;
  }

  #callId(index: number): string {
    return `call_${this.#id.replace(/^chatcmpl-/, '')}${index === 0 ? '' : `-${index}`}`;
  }

  #callDelta(index: number, { name, arguments: text }: ToolCall) {
    const head = this.#hasCall[index] ? {} : { id: this.#callId(index), type: 'function' };
    const called = this.#hasCall[index] ? { arguments: text } : { name, arguments: text };
    this.#hasCall[index] = true;
    return { tool_calls: [{ index: 0, ...head, function: called }] };
  }

  #finishReasonOf(answer: Answer): string {
    if (answer.finishReason === 'length') return 'length';
    return this.#request.call && isComplete(answer, this.#request) ? 'tool_calls' : 'stop';
  }

  #chunk(
    index: number,
    delta: object,
    finish_reason: string | null = null,
    logprobs?: readonly TokenLogprobs[],
  ) {
    return {
      ...this.#chunkWithout(),
      choices: [{ index, delta, logprobs: logprobsOf(logprobs), finish_reason }],
    };
  }

  /** A chunk without choices. It has `usage: null` if usage was requested, like all chunks of OpenAI before the last one. */
  #chunkWithout() {
    return {
      ...this.#head,
      object: 'chat.completion.chunk',
      choices: [],
      ...(this.#request.includeUsage && { usage: null }),
    };
  }
}

function logprobsOf(tokens: readonly TokenLogprobs[] | undefined) {
  return tokens === undefined ? null : { content: wireLogprobs(tokens), refusal: null };
}

function usageOf(answers: readonly Answer[]) {
  const { promptTokens, imageTokens, cachedTokens, completionTokens } = totalUsage(answers);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, image_tokens: imageTokens },
  };
}
