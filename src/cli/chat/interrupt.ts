/** What Ctrl-C means in a conversation, as a rule by itself. */

export interface Situation {
  /** An answer is being written, or a picture encoded. */
  isWorking: boolean;
  /** Something stands on the line, or a triple quote is open. */
  hasDraft: boolean;
  /** The last key at this empty prompt was Ctrl-C already. */
  wasWarned: boolean;
  /** A person is typing, not a script. */
  isInteractive: boolean;
}

export type InterruptAction = 'stop-answer' | 'discard-draft' | 'warn' | 'leave';

/** Ctrl-C stops the answer and not the program; at an empty prompt the second one leaves. A script is ended at once. */
export function interruptAction({
  isWorking,
  hasDraft,
  wasWarned,
  isInteractive,
}: Situation): InterruptAction {
  if (!isInteractive) return 'leave';
  if (isWorking) return 'stop-answer';
  if (hasDraft) return 'discard-draft';
  return wasWarned ? 'leave' : 'warn';
}
