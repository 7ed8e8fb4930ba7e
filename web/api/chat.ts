/** Sends one question to the API and returns events. */
import type { Usage } from '../conversation/types.ts';
import { type Evidence, evidenceOf } from '../document/evidence.ts';
import { ApiError, apiErrorOf, type Connection, request } from './connection.ts';
import { isRecord, type Json, listAt, numberAt, recordAt, textAt } from './json.ts';
import { eventData } from './sse.ts';

export type Stage = 'vision' | 'prefill';

export type ChatEvent =
  | { type: 'started'; id: string | null; model: string | null }
  | { type: 'progress'; stage: Stage; done: number; total: number }
  | { type: 'text'; text: string }
  | { type: 'finished'; reason: string }
  | { type: 'warning'; message: string }
  | { type: 'evidence'; evidence: Evidence }
  | { type: 'usage'; usage: Usage }
  | { type: 'timings'; tokensPerSecond: number };

/**
 * Asks, and yields events until the answer is complete. @throws ApiError: a refusal by the server; `unreachable`; `broken_off` if
 * the stream ended before the answer.
 */
export async function* streamChat(
  connection: Connection,
  body: Json,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent> {
  const response = await request(connection, '/v1/chat/completions', {
    json: { ...body, stream: true, stream_options: { include_usage: true }, return_progress: true },
    signal,
  });
  if (!response.body) throw new ApiError('broken_off', 'The answer has no body.');
  let started = false;
  let finished = false;
  try {
    for await (const data of eventData(response.body)) {
      if (data === '[DONE]') break;
      const chunk = parsed(data);
      if (isRecord(chunk.error)) throw apiErrorOf(chunk);
      if (!started) {
        started = true;
        yield { type: 'started', id: textAt(chunk, 'id'), model: textAt(chunk, 'model') };
      }
      for (const event of eventsOf(chunk)) {
        finished ||= event.type === 'finished';
        yield event;
      }
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ApiError) throw error;
    throw new ApiError('broken_off', error instanceof Error ? error.message : String(error));
  }
  if (!finished) throw new ApiError('broken_off', 'The stream ended before the answer did.');
}

/** Asks the server to stop the request with this id, because a proxy may not forward a closed connection. */
export async function cancelChat(connection: Connection, id: string): Promise<void> {
  await request(connection, `/v1/cancel/${encodeURIComponent(id)}`, { method: 'POST' }).catch(() => {});
}

export function* eventsOf(chunk: Json): Generator<ChatEvent> {
  const progress = recordAt(chunk, 'prompt_progress');
  const [done, total] = [numberAt(progress, 'processed'), numberAt(progress, 'total')];
  if (done !== null && total !== null && total > 0) {
    yield {
      type: 'progress',
      stage: textAt(progress, 'stage') === 'vision' ? 'vision' : 'prefill',
      done,
      total,
    };
  }
  const choice = listAt(chunk, 'choices')[0];
  const text = textAt(recordAt(choice, 'delta'), 'content');
  if (text) yield { type: 'text', text };
  const evidence = isRecord(choice) ? evidenceOf(choice.evidence) : null;
  if (evidence) yield { type: 'evidence', evidence };
  const reason = isRecord(choice) ? textAt(choice, 'finish_reason') : null;
  if (reason) yield { type: 'finished', reason };
  const warnings = listAt(chunk, 'warnings').filter((each) => typeof each === 'string');
  if (warnings.length > 0) yield { type: 'warning', message: warnings.join(' ') };
  if (isRecord(chunk.usage)) yield { type: 'usage', usage: usageOf(chunk.usage) };
  const rate = numberAt(recordAt(chunk, 'timings'), 'predicted_per_second');
  if (rate !== null) yield { type: 'timings', tokensPerSecond: rate };
}

function usageOf(usage: Json): Usage {
  return {
    promptTokens: numberAt(usage, 'prompt_tokens') ?? 0,
    imageTokens: numberAt(recordAt(usage, 'prompt_tokens_details'), 'image_tokens') ?? 0,
    completionTokens: numberAt(usage, 'completion_tokens') ?? 0,
  };
}

function parsed(data: string): Json {
  try {
    const value: unknown = JSON.parse(data);
    if (isRecord(value)) return value;
  } catch {
    // The error is thrown below.
  }
  throw new ApiError('unreadable', `An event of the stream is not a JSON object: ${data.slice(0, 80)}`);
}
