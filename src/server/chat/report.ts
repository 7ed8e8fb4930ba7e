/** The end of a request, for the log and the metrics: sizes, times and codes, nothing of what was said. */
import type { Answer } from '../../index.ts';
import { apiErrorOf } from '../api-error.ts';
import type { RunningRequest } from '../running.ts';
import type { RequestImage } from './image.ts';
import type { ChatParts } from './parts.ts';

export function reportAnswer(
  { metrics, log }: ChatParts,
  { id, client, startedAt }: RunningRequest,
  image: RequestImage | null,
  answer: Answer,
): void {
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

export function reportFailure({ log }: ChatParts, running: RunningRequest, error: unknown): void {
  const { id, client, pieces, startedAt } = running;
  const { code } = apiErrorOf(error, id);
  const ms = Math.round(performance.now() - startedAt);
  log.info({ id, client, code, textPieces: pieces, ms }, 'not answered');
}
