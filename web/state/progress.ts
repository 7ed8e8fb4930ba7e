/** The progress of an answer, from the events of its stream. */
import type { ChatEvent, Stage } from '../api/chat.ts';

export interface AnswerProgress {
  /** Null: the server has not sent progress yet. */
  stage: Stage | null;
  done: number;
  total: number;
  stageSinceMs: number;
}

export function noProgress(): AnswerProgress {
  return { stage: null, done: 0, total: 0, stageSinceMs: performance.now() };
}

/** The progress after an event. A new stage begins its own time. */
export function progressed(
  before: AnswerProgress,
  { stage, done, total }: ChatEvent & { type: 'progress' },
): AnswerProgress {
  const stageSinceMs = before.stage === stage ? before.stageSinceMs : performance.now();
  return { stage, done, total, stageSinceMs };
}
