/** One chat request from its arrival to its end: read, checked, given its turn, answered whole or as a stream. */
import type { Answer, AnswerEvent } from '../../index.ts';
import { ApiError, apiErrorOf, DO_NOT_RETRY } from '../api-error.ts';
import type { Engine } from '../engine/engine.ts';
import type { AskRequest } from '../engine/protocol.ts';
import type { Place } from '../queue.ts';
import type { RunningRequest } from '../running.ts';
import { type Arrival, type CheckedRequest, checkRequest } from './checked.ts';
import type { ChatParts } from './parts.ts';
import { reportAnswer, reportFailure } from './report.ts';
import { EVENT_STREAM_HEADERS, eventStream } from './sse.ts';
import {
  type AnswerHead,
  chunk,
  completion,
  finishReasonOf,
  progressChunk,
  timingsOf,
  usageChunk,
} from './wire.ts';

/** A request that was found right. */
interface Job extends Pick<CheckedRequest, 'request' | 'image'> {
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
    const { promptTokens, imageTokens } = (await checkRequest(arrival, this.#parts, arrival.left)).size;
    return { object: 'response.input_tokens', input_tokens: promptTokens, image_tokens: imageTokens };
  }

  async #check(arrival: Arrival, running: RunningRequest, place: Place): Promise<Job> {
    const { rules, engine, log } = this.#parts;
    const { request, image, size } = await checkRequest(arrival, this.#parts, running.stop.signal);
    const { prompt, options, unknownFields } = request;
    running.promptTokens = size.promptTokens;
    if (unknownFields.length > 0) log.debug({ id: arrival.id, unknownFields }, 'fields ignored');
    const head: AnswerHead = {
      id: running.id,
      created: Math.floor(Date.now() / 1000),
      model: rules.names[0]!,
      system_fingerprint: fingerprintOf(engine),
    };
    const maxTokens = Math.min(size.maxTokens, rules.maxAnswerTokens);
    const ask = {
      image: image?.bytes ?? null,
      question: prompt.question,
      history: prompt.history,
      options: { ...options, maxTokens, client: arrival.client },
    };
    return { request, image, ask, running, place, head };
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
          reportAnswer(this.#parts, running, job.image, event.answer);
          return { answer: event.answer, queueMs };
        }
      }
      throw new Error('The answer ended without its last event.');
    } catch (error) {
      const told = signal.aborted ? signal.reason : error;
      reportFailure(this.#parts, running, told);
      throw told;
    }
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
