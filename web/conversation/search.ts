/** Sorts and groups conversations, and searches conversations and batches. Pure. */
import type { Batch } from '../batch/types.ts';
import type { Conversation, StoredImage } from './types.ts';

/** The list with the new version of a conversation. */
export function withConversation(
  conversations: readonly Conversation[],
  conversation: Conversation,
): Conversation[] {
  return newestFirst([conversation, ...conversations.filter(({ id }) => id !== conversation.id)]);
}

export function newestFirst(conversations: readonly Conversation[]): Conversation[] {
  return [...conversations].sort((a, b) => b.updatedAt - a.updatedAt);
}

/** The name that the user gave, or the file name of its first image, or its first question; null without any of these. */
export function titleOf(conversation: Conversation, images: Record<string, StoredImage>): string | null {
  if (conversation.title !== null) return conversation.title;
  const imageId = conversation.turns.find((turn) => turn.imageId !== null)?.imageId;
  return images[imageId ?? '']?.name ?? firstQuestionOf(conversation);
}

export function firstQuestionOf({ turns }: Conversation): string | null {
  const question = turns[0]?.question.replace(/\s+/g, ' ').trim() ?? '';
  return question === '' ? null : question.slice(0, 80);
}

/** The conversations that contain every word: in the title, a question, an answer, or the name of an image. */
export function found(
  conversations: readonly Conversation[],
  images: Record<string, StoredImage>,
  search: string,
): Conversation[] {
  const matches = matcher(search);
  return conversations.filter(({ title, turns }) =>
    matches(() => [
      title ?? '',
      ...turns.flatMap((turn) => [turn.question, turn.answer.text, images[turn.imageId ?? '']?.name ?? '']),
    ]),
  );
}

/** The batches that contain every word: in the name or in the name of a file. */
export function foundBatches(batches: readonly Batch[], search: string): Batch[] {
  const matches = matcher(search);
  return batches.filter(({ name, rows }) => matches(() => [name, ...rows.map(({ file }) => file)]));
}

/** Whether the texts contain every word of a search. They are not read for an empty search. */
function matcher(search: string): (texts: () => string[]) => boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (texts) => {
    if (words.length === 0) return true;
    const text = texts().join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

export type Day = 'today' | 'yesterday' | 'earlier';

export function dayOf(timeMs: number, nowMs: number): Day {
  const midnight = new Date(nowMs).setHours(0, 0, 0, 0);
  if (timeMs >= midnight) return 'today';
  return timeMs >= new Date(midnight - 1).setHours(0, 0, 0, 0) ? 'yesterday' : 'earlier';
}
