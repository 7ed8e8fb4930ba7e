/** One chat request from its arrival to its end: read, checked, given its turn, answered whole or as a stream. */
import type { Logger } from 'pino';
import type { Answer, AnswerEvent } from '../../index.ts';
import { ApiError, apiErrorOf, DO_NOT_RETRY } from '../api-error.ts';
import type { Engine } from '../engine/engine.ts';
import type { AskRequest } from '../engine/protocol.ts';
import type { Metrics } from '../metrics.ts';
import type { FairQueue, Place } from '../queue.ts';
import type { RunningRequest, RunningRequests } from '../running.ts';
import { type ImageRules, type RequestImage, readRequestImage } from './image.ts';
import { type ChatRequest, readChatRequest } from './request.ts';
import { EVENT_STREAM_HEADERS, eventStream } from './sse.ts';
import { checkTextSize } from './text-size.ts';
import {
  type AnswerHead,
  chunk,
  completion,
  finishReasonOf,
  progressChunk,
  timingsOf,
  usageChunk,
} from './wire.ts';

export interface ChatRules extends ImageRules {
  /** The names that a request may call the model by; the first is the model's own. */
  names: readonly string[];
  maxAnswerTokens: number;
  timeLimitMs: number;
  maxBufferedBytes: number;
  pingMs: number;
}

export interface ChatParts {
  engine: Engine;
  queue: FairQueue;
  running: RunningRequests;
  metrics: Metrics;
  log: Logger;
  rules: ChatRules;
}

/** What is known of a request before its body is read. */
export interface Arrival {
  id: string;
  client: string;
  readBody(): Promise<unknown>;
  /** Aborted when the client has left. */
  left: AbortSignal;
}

/** A request that was found right. */
interface Job {
  request: ChatRequest;
  image: RequestImage | null;
  ask: AskRequest;
  running: RunningRequest;
  place: Place;
  head: AnswerHead;
}

export class ChatAnswers {
  readonly #parts: ChatParts;

  constructor(parts: ChatParts) {
    this.#parts = parts;
  }

  /** @throws ApiError and CogVLM2Error, as long as no stream has begun */
  async answer(arrival: Arrival): Promise<Response> {
    const { queue, running: all } = this.#parts;
    const place = queue.enter(arrival.client);
    const running = all.start(`chatcmpl-${arrival.id}`, arrival.client);
    const onLeft = () => running.stop.abort(new ApiError('cancelled', 'The client left.'));
    const end = () => {
      clearTimeout(timer);
      arrival.left.removeEventListener('abort', onLeft);
      all.end(running);
      place.leave();
    };
    const timer = setTimeout(() => running.stop.abort(this.#tooLong()), this.#parts.rules.timeLimitMs);
    arrival.left.addEventListener('abort', onLeft, { once: true });
    if (arrival.left.aborted) onLeft();
    let streams = false;
    try {
      const job = await this.#check(arrival, running, place);
      if (!job.request.stream) return await this.#whole(job);
      streams = true;
      return this.#stream(job, end);
    } finally {
      if (!streams) end();
    }
  }

  /** How many tokens a request's prompt has, found as for an answer. */
  async countTokens(arrival: Arrival) {
    const { request, image } = await this.#read(arrival, arrival.left);
    const { promptTokens, imageTokens } = await this.#size(request, image);
    return { object: 'response.input_tokens', input_tokens: promptTokens, image_tokens: imageTokens };
  }

  async #check(arrival: Arrival, running: RunningRequest, place: Place): Promise<Job> {
    const { signal } = running.stop;
    const { request, image } = await this.#read(arrival, signal);
    const { prompt, options, unknownFields } = request;
    const { promptTokens, maxTokens } = await this.#size(request, image);
    running.promptTokens = promptTokens;
    if (unknownFields.length > 0) this.#parts.log.debug({ id: arrival.id, unknownFields }, 'fields ignored');
    const { rules, engine } = this.#parts;
    const head: AnswerHead = {
      id: running.id,
      created: Math.floor(Date.now() / 1000),
      model: rules.names[0]!,
      system_fingerprint: fingerprintOf(engine),
    };
    const { question, history } = prompt;
    const limited = Math.min(maxTokens, rules.maxAnswerTokens);
    const ask = {
      image: image?.bytes ?? null,
      question,
      history,
      options: { ...options, maxTokens: limited, client: arrival.client },
    };
    return { request, image, ask, running, place, head };
  }

  async #read(arrival: Arrival, signal: AbortSignal) {
    const { engine, rules, metrics } = this.#parts;
    // Before the body: while the model loads, nobody has to send a picture to be told so.
    void engine.info;
    const request = readChatRequest(await arrival.readBody(), rules.names, rules.maxAnswerTokens);
    const { imageUrl } = request.prompt;
    if (imageUrl === null) return { request, image: null };
    const startedAt = performance.now();
    const image = await readRequestImage(imageUrl, rules, signal);
    metrics.image(image.source);
    if (image.source === 'url') metrics.time('imageFetch', performance.now() - startedAt);
    return { request, image };
  }

  /** What the prompt takes of the context. @throws CogVLM2Error context_length_exceeded */
  #size({ prompt, options }: ChatRequest, image: RequestImage | null) {
    const { question, history } = prompt;
    const { engine } = this.#parts;
    const texts = [question, ...history.flatMap((turn) => [turn.question, turn.answer])];
    checkTextSize(texts, engine.info.contextSize);
    return engine.call('check', image !== null, { question, history, options });
  }

  async #whole(job: Job): Promise<Response> {
    const { answer, queueMs } = await this.#make(job, () => {});
    return Response.json(completion(job.head, answer, queueMs, job.request.prompt.warnings));
  }

  #stream(job: Job, end: () => void): Response {
    const { head, request, running } = job;
    const { includeUsage, returnProgress } = request;
    const { warnings } = request.prompt;
    const { rules, log } = this.#parts;
    const stop = (error: ApiError) => running.stop.abort(error);
    const events = eventStream({
      maxBufferedBytes: rules.maxBufferedBytes,
      pingMs: rules.pingMs,
      onLeft: () => stop(new ApiError('cancelled', 'The client left.')),
      onSlow: () =>
        stop(new ApiError('slow_reader', `The client was ${rules.maxBufferedBytes} bytes behind.`)),
    });
    // Tokens of which no text is shown, such as those of a stop string, are told at the end.
    let toldTokens = 0;
    const onEvent = (event: AnswerEvent) => {
      if (event.type === 'text') {
        const { text: content, logprobs } = event;
        toldTokens += logprobs?.length ?? 0;
        events.send(chunk(head, { content }, null, includeUsage, logprobs));
      } else if (event.type === 'progress' && returnProgress) {
        events.send(progressChunk(head, event.progress, performance.now() - running.startedAt, includeUsage));
      }
    };
    const begin = chunk(head, { role: 'assistant', content: '' }, null, includeUsage);
    events.send(warnings.length > 0 ? { ...begin, warnings } : begin);
    const work = async () => {
      try {
        const { answer, queueMs } = await this.#make(job, onEvent);
        const untold = answer.logprobs?.slice(toldTokens);
        const last = chunk(head, {}, finishReasonOf(answer), includeUsage, untold);
        events.send({ ...last, timings: timingsOf(answer, queueMs), seed: answer.seed });
        if (includeUsage) events.send(usageChunk(head, answer.usage));
        events.send('[DONE]');
      } catch (error) {
        const { body, status } = apiErrorOf(error, head.id);
        if (status === 500) log.error({ id: head.id, err: error }, 'failed');
        events.send(body);
      } finally {
        events.close();
        end();
      }
    };
    work().catch((error: unknown) => log.error({ id: head.id, error }, 'a stream ended badly'));
    return new Response(events.body, { headers: EVENT_STREAM_HEADERS });
  }

  /** Waits for the turn and has the answer made. @throws what ended it early */
  async #make(job: Job, onEvent: (event: AnswerEvent) => void): Promise<{ answer: Answer; queueMs: number }> {
    const { ask, running, place } = job;
    const { engine, metrics } = this.#parts;
    const { signal } = running.stop;
    try {
      running.state = 'waiting';
      const waitedFrom = performance.now();
      // Those that wait fail with the engine, as those do that it was answering.
      await place.turn(signal);
      const queueMs = performance.now() - waitedFrom;
      metrics.time('queue', queueMs);
      running.state = 'running';
      for await (const event of engine.ask(ask, signal)) {
        if (event.type === 'text' && running.pieces++ === 0) {
          metrics.time('firstToken', performance.now() - running.startedAt);
        }
        if (event.type !== 'done') onEvent(event);
        else {
          if (event.answer.finishReason === 'aborted') signal.throwIfAborted();
          this.#report(job, event.answer);
          return { answer: event.answer, queueMs };
        }
      }
      throw new Error('The answer ended without its last event.');
    } catch (error) {
      const told = signal.aborted ? signal.reason : error;
      this.#reportFailure(job, told);
      throw told;
    }
  }

  #report({ head, image, running }: Job, answer: Answer): void {
    const { metrics, log } = this.#parts;
    const ms = performance.now() - running.startedAt;
    metrics.answer(answer);
    metrics.time('request', ms);
    const { usage, timings, finishReason } = answer;
    log.info(
      {
        id: head.id,
        client: running.client,
        image: image && `${image.width} x ${image.height} ${image.format}`,
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

  #reportFailure({ head, running }: Job, error: unknown): void {
    const { code } = apiErrorOf(error, head.id);
    const ms = Math.round(performance.now() - running.startedAt);
    const fields = { id: head.id, client: running.client, code, textPieces: running.pieces, ms };
    this.#parts.log.info(fields, 'not answered');
  }

  #tooLong(): ApiError {
    const { timeLimitMs } = this.#parts.rules;
    return new ApiError(
      'request_timeout',
      `The answer took longer than ${timeLimitMs / 1000} s (--time-limit-seconds). Lower max_tokens, or ask for a stream to have what there is.`,
      { headers: DO_NOT_RETRY },
    );
  }
}

/** Changes when the same request could be answered otherwise: another model, other types, another device. */
function fingerprintOf({ info }: Engine): string {
  return `${info.name}-${Object.keys(info.types).join('-')}-${info.device}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9_.-]+/g, '-');
}
