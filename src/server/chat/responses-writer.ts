/** Writes answers as OpenAI responses: the whole object, or the events of a stream. They are not stored. */
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

export class ResponsesWriter implements AnswerWriter {
  readonly #head: AnswerHead;
  readonly #request: ChatRequest;
  #sequenceNumber = 0;
  #hasItem = false;

  constructor(head: AnswerHead, request: ChatRequest) {
    this.#head = head;
    this.#request = request;
  }

  whole([answer]: readonly [Answer, ...Answer[]]): object {
    const isCut = answer.finishReason === 'length';
    const usage = totalUsage([answer]);
    return {
      ...this.#response(isCut ? 'incomplete' : 'completed', answer.warnings),
      incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
      output: this.#outputOf(answer),
      usage: {
        input_tokens: usage.promptTokens,
        input_tokens_details: { cached_tokens: usage.cachedTokens, image_tokens: usage.imageTokens },
        output_tokens: usage.completionTokens,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: usage.promptTokens + usage.completionTokens,
      },
      timings: timingsOf(answer),
      seed: answer.seed,
    };
  }

  begin(): EventStreamEvent[] {
    const response = this.#response('in_progress');
    return [this.#event('response.created', { response }), this.#event('response.in_progress', { response })];
  }

  progress(_progress: Progress, _elapsedMs: number): EventStreamEvent[] {
    return [];
  }

  text(_index: number, text: string, logprobs: readonly TokenLogprobs[] = []): EventStreamEvent[] {
    const { call } = this.#request;
    if (call && !call.isSingle) return [];
    const started = this.#startItem(call?.callIn('', false)?.name);
    if (call) return [...started, this.#itemEvent('response.function_call_arguments.delta', { delta: text })];
    const delta = { content_index: 0, delta: text, logprobs: wireLogprobs(logprobs) };
    return [...started, this.#itemEvent('response.output_text.delta', delta)];
  }

  end(_index: number, answer: Answer): EventStreamEvent[] {
    const [item] = this.#outputOf(answer);
    if (item === undefined) return [];
    const done = () => this.#event('response.output_item.done', { output_index: 0, item });
    if (item.type === 'function_call') {
      const started = this.#startItem(item.name);
      const { name, arguments: text } = item;
      // A call of one of several tools is sent when it is complete.
      const isUnsent = started.length > 0 && text !== '';
      return [
        ...started,
        ...(isUnsent ? [this.#itemEvent('response.function_call_arguments.delta', { delta: text })] : []),
        this.#itemEvent('response.function_call_arguments.done', { name, arguments: text }),
        done(),
      ];
    }
    const [part] = item.content;
    return [
      ...this.#startItem(undefined),
      this.#itemEvent('response.output_text.done', {
        content_index: 0,
        text: part.text,
        logprobs: part.logprobs,
      }),
      this.#itemEvent('response.content_part.done', { content_index: 0, part }),
      done(),
    ];
  }

  close(answers: readonly [Answer, ...Answer[]]): EventStreamEvent[] {
    const isCut = answers[0].finishReason === 'length';
    const type = isCut ? 'response.incomplete' : 'response.completed';
    return [this.#event(type, { response: this.whole(answers) })];
  }

  error({ body: { error } }: ApiError): EventStreamEvent[] {
    const { code, message, param } = error;
    const response = { ...this.#response('failed'), error: { code, message } };
    return [
      this.#event('error', { code, message, param, error }),
      this.#event('response.failed', { response }),
    ];
  }

  /** The first events of the output item: a function call if there is a name, otherwise a message. */
  #startItem(name: string | undefined): EventStreamEvent[] {
    if (this.#hasItem) return [];
    this.#hasItem = true;
    const status = 'in_progress';
    const item =
      name === undefined
        ? { id: this.#itemId, type: 'message', status, role: 'assistant', content: [] }
        : { id: this.#itemId, type: 'function_call', status, call_id: this.#callId, name, arguments: '' };
    const added = this.#event('response.output_item.added', { output_index: 0, item });
    if (name !== undefined) return [added];
    const part = { type: 'output_text', text: '', annotations: [], logprobs: [] };
    return [added, this.#itemEvent('response.content_part.added', { content_index: 0, part })];
  }

  #outputOf(answer: Answer) {
    const { text, logprobs = [] } = answer;
    const isWhole = isComplete(answer, this.#request);
    const id = this.#itemId;
    const status = isWhole ? 'completed' : 'incomplete';
    const { call: required } = this.#request;
    if (required) {
      const call = required.callIn(text, isWhole);
      return call === null
        ? []
        : [{ id, type: 'function_call' as const, status, call_id: this.#callId, ...call }];
    }
    const part = {
      type: 'output_text',
      text,
      annotations: [],
      logprobs: wireLogprobs(logprobs),
      ...placesOf(answer),
    };
    const content = [part] as const;
    return [{ id, type: 'message' as const, status, role: 'assistant', content }];
  }

  #response(
    status: 'in_progress' | 'completed' | 'incomplete' | 'failed',
    answerWarnings: readonly string[] = [],
  ) {
    const { warnings, repeated } = this.#request;
    const { id, created, model, fingerprint } = this.#head;
    return {
      background: false,
      error: null,
      incomplete_details: null,
      instructions: null,
      max_output_tokens: null,
      max_tool_calls: null,
      metadata: {},
      parallel_tool_calls: true,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      temperature: 0,
      text: { format: { type: 'text' } },
      tool_choice: 'auto',
      tools: [],
      top_logprobs: 0,
      top_p: 1,
      user: null,
      ...repeated,
      id,
      object: 'response',
      created_at: created,
      completed_at: status === 'completed' ? Math.floor(Date.now() / 1000) : null,
      status,
      model,
      output: [] as object[],
      usage: null as object | null,
      service_tier: 'default',
      store: false,
      truncation: 'disabled',
      system_fingerprint: fingerprint,
      ...warningsOf([...warnings, ...answerWarnings]),
    };
  }

  get #itemId(): string {
    return `${this.#request.call ? 'fc' : 'msg'}_${this.#head.id.replace(/^resp_/, '')}`;
  }

  get #callId(): string {
    return `call_${this.#head.id.replace(/^resp_/, '')}`;
  }

  #itemEvent(type: string, fields: object): EventStreamEvent {
    return this.#event(type, { item_id: this.#itemId, output_index: 0, ...fields });
  }

  #event(type: string, fields: object): EventStreamEvent {
    return { event: type, data: { type, sequence_number: this.#sequenceNumber++, ...fields } };
  }
}
