/** Which turns of a conversation are on show. Pure. */
import type { Answer, Conversation, Turn } from './types.ts';

export const emptyAnswer: Answer = {
  state: 'running',
  text: '',
  finishReason: null,
  model: null,
  usage: null,
  speed: null,
  failure: null,
  warning: null,
  evidence: null,
};

/** The turns from the first to the last that is on show. */
export function pathOf(conversation: Conversation): Turn[] {
  const path: Turn[] = [];
  for (let turn = shownChild(conversation, null); turn; turn = shownChild(conversation, turn.id))
    path.push(turn);
  return path;
}

/** The turns up to and with this one. */
export function pathTo(conversation: Conversation, turnId: string): Turn[] {
  const path: Turn[] = [];
  for (let turn = find(conversation, turnId); turn; turn = find(conversation, turn.parentId))
    path.unshift(turn);
  return path;
}

/** The versions of a turn, itself among them, oldest first. */
export function versionsOf(conversation: Conversation, turn: Turn): Turn[] {
  return childrenOf(conversation, turn.parentId);
}

/** Adds a turn, or puts it in the place of the one with its id, and shows it. */
export function withTurn(conversation: Conversation, turn: Turn, now: number): Conversation {
  const isNew = find(conversation, turn.id) === undefined;
  const turns = isNew
    ? [...conversation.turns, turn]
    : conversation.turns.map((old) => (old.id === turn.id ? turn : old));
  return showing({ ...conversation, turns, updatedAt: now }, turn);
}

/** Shows this version of its question. */
export function showing(conversation: Conversation, turn: Turn): Conversation {
  return { ...conversation, chosen: { ...conversation.chosen, [turn.parentId ?? '']: turn.id } };
}

export function withAnswer(
  conversation: Conversation,
  turnId: string,
  change: Partial<Answer>,
): Conversation {
  return {
    ...conversation,
    turns: conversation.turns.map((turn) =>
      turn.id === turnId ? { ...turn, answer: { ...turn.answer, ...change } } : turn,
    ),
  };
}

/** An answer that was on its way will not go on by itself after a reload. */
export function settled(conversation: Conversation): Conversation {
  const running = conversation.turns.filter(({ answer }) => answer.state === 'running');
  return running.reduce(
    (settling, { id }) => withAnswer(settling, id, { state: 'interrupted' }),
    conversation,
  );
}

/** The image that a turn is about: the newest one on the way to it. */
export function imageIdOf(path: readonly Turn[]): string | null {
  return path.findLast((turn) => turn.imageId !== null)?.imageId ?? null;
}

function shownChild(conversation: Conversation, parentId: string | null): Turn | undefined {
  const children = childrenOf(conversation, parentId);
  const chosen = conversation.chosen[parentId ?? ''];
  return children.find((turn) => turn.id === chosen) ?? children.at(-1);
}

function childrenOf(conversation: Conversation, parentId: string | null): Turn[] {
  return conversation.turns.filter((turn) => turn.parentId === parentId);
}

function find(conversation: Conversation, id: string | null): Turn | undefined {
  return conversation.turns.find((turn) => turn.id === id);
}
