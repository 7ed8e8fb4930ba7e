/** How far an answer is, from the events of its stream. */
import type { ChatEvent } from '../api/chat.ts';
import type { Running } from './state.ts';

/** The progress after an event; a new stage begins its own time. */
export function progressed(
  before: Running | null,
  { stage, done, total }: ChatEvent & { type: 'progress' },
  stop: () => void,
): Running {
  const isSameStage = before?.stage === stage;
  const stageSinceMs = before && isSameStage ? before.stageSinceMs : performance.now();
  return { stop: before?.stop ?? stop, stage, done, total, stageSinceMs };
}
