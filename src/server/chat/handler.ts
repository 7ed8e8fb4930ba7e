/** One chat request from its arrival to its end: read, checked, given its turn, answered whole or as a stream. */
import type { Answer, AnswerEvent } from '../../index.ts';
import { ApiError, apiErrorOf, DO_NOT_RETRY } from '../api-error.ts';
import type { Engine } from '../engine/engine.ts';
import type { AskRequest } from '../engine/protocol.ts';
import type { Place } from '../queue.ts';
import type { RunningRequest } from '../running.ts';
import {
  type AnswerHead,
  chunk,
  completion,
  finishReasonOf,
  progressChunk,
  timingsOf,
  usageChunk,
} from './completion.ts';
import type { ChatContext } from './context.ts';
import { EVENT_STREAM_HEADERS, eventStream } from './event-stream.ts';
import type { RequestImage } from './image.ts';
import type { IncomingRequest } from './incoming.ts';
import { type PreparedRequest, prepareRequest } from './prepare.ts';

/** A request that was found right. */
interface Job extends Pick<PreparedRequest, 'request' | 'image'> {
  ask: AskRequest;
  running: RunningRequest;
  place: Place;
  head: AnswerHead;
}

export class ChatHandler {
  readonly #context: ChatContext;

  constructor(context: ChatContext) {
    this.#context = context;
  }

  /** @throws ApiError and CogVLM2Error, as long as no stream has begun */
  async answer(incoming: IncomingRequest): Promise<Response> {
    const { running: requests } = this.#context;
    const { place } = incoming;
    const running = requests.start(`chatcmpl-${incoming.id}`, incoming.client);
    const onLeft = () => running.stop.abort(new ApiError('cancelled', 'The client left.'));
    const end = () => {
      clearTimeout(timer);
      incoming.disconnected.removeEventListener('abort', onLeft);
      requests.end(running);
      place.leave();
    };
    const timer = setTimeout(() => running.stop.abort(this.#tooLong()), this.#context.rules.timeLimitMs);
    incoming.disconnected.addEventListener('abort', onLeft, { once: true });
    if (incoming.disconnected.aborted) onLeft();
    let streams = false;
    try {
      const job = await this.#check(incoming, running, place);
      if (!job.request.stream) return await this.#whole(job);
      streams = true;
      return this.#stream(job, end);
    } finally {
      if (!streams) end();
    }
  }

  /** How many tokens a request's prompt has, found as for an answer. */
  async countTokens(body: unknown, signal: AbortSignal) {
    const { promptTokens, imageTokens } = (await prepareRequest(async () => body, this.#context, signal))
      .size;
    return { object: 'response.input_tokens', input_tokens: promptTokens, image_tokens: imageTokens };
  }

  async #check(incoming: IncomingRequest, running: RunningRequest, place: Place): Promise<Job> {
    const { rules, engine, log } = this.#context;
    const { signal } = running.stop;
    const readBody = () => incoming.readBody(signal);
    const { request, image, size } = await prepareRequest(readBody, this.#context, signal);
    const { prompt, options, unknownFields } = request;
    running.promptTokens = size.promptTokens;
    if (unknownFields.length > 0) log.debug({ id: incoming.id, unknownFields }, 'fields ignored');
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
      options: { ...options, maxTokens, client: incoming.client },
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
    const { rules, log } = this.#context;
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
    const { engine, metrics } = this.#context;
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
          this.#logAnswer(running, job.image, event.answer);
          return { answer: event.answer, queueMs };
        }
      }
      throw new Error('The answer ended without its last event.');
    } catch (error) {
      const told = signal.aborted ? signal.reason : error;
      this.#logFailure(running, told);
      throw told;
    }
  }

  /** Logs sizes, times and codes, and no text of the request or the answer. */
  #logAnswer({ id, client, startedAt }: RunningRequest, image: RequestImage | null, answer: Answer): void {
    const { metrics, log } = this.#context;
    const ms = performance.now() - startedAt;
    metrics.answer(answer);
    metrics.time('request', ms);
    const { usage, timings, finishReason } = answer;
    log.info(
      {
        id,
        client,
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

  #logFailure({ id, client, pieces, startedAt }: RunningRequest, error: unknown): void {
    const { code } = apiErrorOf(error, id);
    const ms = Math.round(performance.now() - startedAt);
    this.#context.log.info({ id, client, code, textPieces: pieces, ms }, 'not answered');
  }

  #tooLong(): ApiError {
    const { timeLimitMs } = this.#context.rules;
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
