/** Handles a chat request: reads, checks and queues it, and answers it as one object or as a stream. */
import type { Answer, AnswerEvent, SequenceState } from '../../index.ts';
import { ApiError, apiErrorOf, clientLeft, DO_NOT_RETRY } from '../api-error.ts';
import type { ChatContext } from '../app-parts.ts';
import type { Engine } from '../engine/engine.ts';
import type { AskRequest } from '../engine/protocol.ts';
import type { ActiveRequest } from '../requests.ts';
import type { AnswerHead, AnswerWriter } from './answer-writer.ts';
import { CompletionsWriter } from './completions-writer.ts';
import { EVENT_STREAM_HEADERS, eventStream } from './event-stream.ts';
import type { IncomingRequest } from './incoming.ts';
import { prepareRequest, type RequestReader } from './prepare.ts';
import { type ChatRequest, readChatRequest } from './request.ts';
import { readResponsesRequest } from './responses-request.ts';
import { ResponsesWriter } from './responses-writer.ts';
import type { RequestVisual } from './visual.ts';

/** One of the two APIs of OpenAI: reads its requests and writes its answers. */
export interface ChatApi {
  idPrefix: string;
  read: RequestReader;
  writer(head: AnswerHead, request: ChatRequest): AnswerWriter;
}

export const COMPLETIONS_API: ChatApi = {
  idPrefix: 'chatcmpl-',
  read: readChatRequest,
  writer: (head, request) => new CompletionsWriter(head, request),
};

export const RESPONSES_API: ChatApi = {
  idPrefix: 'resp_',
  read: readResponsesRequest,
  writer: (head, request) => new ResponsesWriter(head, request),
};

/** A request that was checked. */
interface Job {
  request: ChatRequest;
  visual: RequestVisual | null;
  ask: AskRequest;
  running: ActiveRequest;
  writer: AnswerWriter;
}

export class ChatHandler {
  readonly #context: ChatContext;

  constructor(context: ChatContext) {
    this.#context = context;
  }

  /** @throws ApiError and CogVLM2Error before a stream begins */
  async answer(incoming: IncomingRequest, api: ChatApi): Promise<Response> {
    const { admission, requests, rules } = this.#context;
    const admitted = [incoming.place];
    const running = requests.start(`${api.idPrefix}${incoming.id}`, incoming.client);
    const onDisconnect = () => running.stop.abort(clientLeft());
    const end = () => {
      clearTimeout(timer);
      incoming.disconnected.removeEventListener('abort', onDisconnect);
      requests.end(running);
      for (const each of admitted) each.leave();
    };
    const timer = setTimeout(() => running.stop.abort(this.#tooLong()), rules.timeLimitMs);
    running.onProgress = () => timer.refresh();
    incoming.disconnected.addEventListener('abort', onDisconnect, { once: true });
    if (incoming.disconnected.aborted) onDisconnect();
    let streams = false;
    try {
      const { signal } = running.stop;
      const { request, visual, ask, size } = await prepareRequest(
        incoming,
        () => incoming.readBody(signal),
        api.read,
        this.#context,
        signal,
      );
      running.promptTokens = size.promptTokens;
      while (admitted.length < request.n) admitted.push(admission.enter(incoming.client));
      const head = this.#headOf(running, request);
      const writer = api.writer(head, request);
      const job: Job = { request, visual, ask, running, writer };
      if (!request.stream) return Response.json(writer.whole(await this.#makeAll(job, () => {})));
      streams = true;
      return this.#stream(job, end);
    } finally {
      if (!streams) end();
    }
  }

  /** Counts the tokens of the prompt of a request, like for an answer. */
  async countTokens(incoming: IncomingRequest, body: unknown, api: ChatApi, signal: AbortSignal) {
    const { size } = await prepareRequest(incoming, async () => body, api.read, this.#context, signal);
    const { promptTokens, imageTokens } = size;
    return { object: 'response.input_tokens', input_tokens: promptTokens, image_tokens: imageTokens };
  }

  #headOf({ id }: ActiveRequest, { options: { adapter } }: ChatRequest): AnswerHead {
    const { rules, engine } = this.#context;
    return {
      id,
      created: Math.floor(Date.now() / 1000),
      model: adapter ?? rules.names[0]!,
      fingerprint: fingerprintOf(engine, adapter),
    };
  }

  #stream(job: Job, end: () => void): Response {
    const { running, writer } = job;
    const { rules, log } = this.#context;
    const stop = (error: ApiError) => running.stop.abort(error);
    const events = eventStream({
      maxBufferedBytes: rules.maxBufferedBytes,
      pingMs: rules.pingMs,
      onLeft: () => stop(clientLeft()),
      onSlow: () =>
        stop(new ApiError('slow_reader', `The client was ${rules.maxBufferedBytes} bytes behind.`)),
    });
    const onEvent = (index: number, event: AnswerEvent) => {
      if (event.type === 'text') events.send(writer.text(index, event.text, event.logprobs));
      else if (event.type === 'progress') {
        events.send(writer.progress(event.progress, performance.now() - running.startedAt));
      }
    };
    events.send(writer.begin());
    const work = async () => {
      try {
        const onEnd = (index: number, answer: Answer) => events.send(writer.end(index, answer));
        events.send(writer.close(await this.#makeAll(job, onEvent, onEnd)));
      } catch (error) {
        const apiError = apiErrorOf(error, running.id);
        if (apiError.status === 500) log.error({ id: running.id, err: error }, 'failed');
        events.send(writer.error(apiError));
      } finally {
        events.close();
        end();
      }
    };
    work().catch((error: unknown) => log.error({ id: running.id, error }, 'a stream failed'));
    return new Response(events.body, { headers: EVENT_STREAM_HEADERS });
  }

  /** Makes all answers to a request. If one fails, the others are stopped. @throws the error of the first failed answer */
  async #makeAll(
    job: Job,
    onEvent: (index: number, event: AnswerEvent) => void,
    onEnd: (index: number, answer: Answer) => void = () => {},
  ): Promise<Answer[]> {
    const { running } = job;
    try {
      return await Promise.all(
        Array.from({ length: job.request.n }, async (_, index) => {
          const finished = await this.#make(job, index, (event) => onEvent(index, event));
          onEnd(index, finished);
          return finished;
        }),
      );
    } catch (error) {
      const reason = running.stop.signal.aborted ? running.stop.signal.reason : error;
      running.stop.abort(reason);
      this.#logFailure(running, reason);
      throw reason;
    }
  }

  /** Makes one answer. */
  async #make(
    { ask, running, visual }: Job,
    index: number,
    onEvent: (event: AnswerEvent) => void,
  ): Promise<Answer> {
    const { engine, metrics } = this.#context;
    const { signal } = running.stop;
    const onState = (state: SequenceState) => {
      running.states[index] = state;
    };
    onState('queued');
    for await (const event of engine.ask(withSeedOf(index, ask), signal, onState)) {
      running.onProgress();
      if (event.type === 'text' && running.pieces++ === 0) {
        metrics.time('firstToken', performance.now() - running.startedAt);
      }
      if (event.type !== 'done') onEvent(event);
      else {
        if (event.answer.finishReason === 'aborted') signal.throwIfAborted();
        this.#logAnswer(running, visual, event.answer);
        return event.answer;
      }
    }
    throw new Error('The answer ended without a final event.');
  }

  /** Logs sizes, times and codes, but no text of the request or the answer. */
  #logAnswer({ id, client, startedAt }: ActiveRequest, visual: RequestVisual | null, answer: Answer): void {
    const { metrics, log } = this.#context;
    const ms = performance.now() - startedAt;
    metrics.answer(answer);
    metrics.time('request', ms);
    const { usage, timings, finishReason } = answer;
    log.info(
      {
        id,
        client,
        image: visual?.label ?? null,
        promptTokens: usage.promptTokens,
        cachedTokens: usage.cachedTokens,
        completionTokens: usage.completionTokens,
        finishReason,
        visionMs: Math.round(timings.visionMs),
        prefillMs: Math.round(timings.prefillMs),
        decodeMs: Math.round(timings.decodeMs),
        ms: Math.round(ms),
      },
      'answered',
    );
  }

  #logFailure({ id, client, pieces, startedAt }: ActiveRequest, error: unknown): void {
    const { code } = apiErrorOf(error, id);
    const ms = Math.round(performance.now() - startedAt);
    this.#context.metrics.failure(code);
    this.#context.log.info({ id, client, code, textPieces: pieces, ms }, 'not answered');
  }

  #tooLong(): ApiError {
    const { timeLimitMs } = this.#context.rules;
    return new ApiError(
      'request_timeout',
      `The answer made no progress for ${timeLimitMs / 1000} s (--time-limit-seconds). Try again later, or raise the limit on a slow machine.`,
      { headers: DO_NOT_RETRY },
    );
  }
}

/** If a request with a seed has several answers, they use consecutive seeds. */
function withSeedOf(index: number, ask: AskRequest): AskRequest {
  const { seed } = ask.options;
  if (index === 0 || seed === undefined) return ask;
  const next = typeof seed === 'bigint' ? seed + BigInt(index) : seed + index;
  return { ...ask, options: { ...ask.options, seed: next } };
}

/** Changes if the same request could get another answer: another model, other types, another device, other adapters. */
function fingerprintOf({ info }: Engine, adapter: string | undefined): string {
  const used = info.adapters.filter(({ name }) => name === null || name === adapter);
  return [info.name, ...Object.keys(info.types), info.device, ...used.map((each) => each.fingerprint)]
    .join('-')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_.-]+/g, '-');
}
