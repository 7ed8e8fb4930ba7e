/** Selects the visible turns of a conversation. Pure. */
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

/** The visible turns, first to last. */
export function pathOf(conversation: Conversation): Turn[] {
  const path: Turn[] = [];
  for (let turn = shownChild(conversation, null); turn; turn = shownChild(conversation, turn.id))
    path.push(turn);
  return path;
}

/** The turns up to this one, inclusive. */
export function pathTo(conversation: Conversation, turnId: string): Turn[] {
  const path: Turn[] = [];
  for (let turn = find(conversation, turnId); turn; turn = find(conversation, turn.parentId))
    path.unshift(turn);
  return path;
}

/** All versions of a turn, oldest first. */
export function versionsOf(conversation: Conversation, turn: Turn): Turn[] {
  return childrenOf(conversation, turn.parentId);
}

/** Adds a turn, or replaces the one with its id, and shows it. */
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

/** An answer in progress does not continue after a reload. */
export function settled(conversation: Conversation): Conversation {
  const running = conversation.turns.filter(({ answer }) => answer.state === 'running');
  return running.reduce(
    (settling, { id }) => withAnswer(settling, id, { state: 'interrupted' }),
    conversation,
  );
}

/** The image that a turn is about: the newest one up to it. */
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
