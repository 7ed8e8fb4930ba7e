/** Changing conversations, pictures and drafts in one go with the browser's database. */
import type { Conversation, Draft, KeptDraft, Picture } from '../conversation/types.ts';
import type { StoreName } from '../storage/database.ts';
import { notify } from './notices.ts';
import { currentDraft, draftKey, state } from './state.ts';

const STREAM_SAVE_MS = 400;
const late = new Map<string, ReturnType<typeof setTimeout>>();

/** Shows a conversation as it now is, and keeps it. */
export function keepConversation(conversation: Conversation): void {
  showConversation(conversation);
  saveNow(conversation.id);
}

/** The same while an answer streams in, where writing each piece would be too much. */
export function keepConversationSoon(conversation: Conversation): void {
  showConversation(conversation);
  if (!late.has(conversation.id)) {
    late.set(
      conversation.id,
      setTimeout(() => saveNow(conversation.id), STREAM_SAVE_MS),
    );
  }
}

/** Writes what is still to be written: the page is being left. */
export function saveAllNow(): void {
  for (const id of late.keys()) saveNow(id);
}

export function removeConversation(id: string): Conversation | undefined {
  const removed = state.value.conversations.find((each) => each.id === id);
  clearTimeout(late.get(id));
  late.delete(id);
  state.set({ conversations: state.value.conversations.filter((each) => each.id !== id) });
  void state.value.database.remove('conversations', id);
  return removed;
}

export function keepPicture(picture: Picture): void {
  state.set({ pictures: { ...state.value.pictures, [picture.id]: picture } });
  put('pictures', picture.id, picture);
}

export function changeDraft(change: Partial<Draft>): void {
  const key = draftKey(state.value);
  const draft = { ...currentDraft(state.value), ...change };
  const isEmpty = draft.text === '' && draft.pictureId === null;
  state.set({ drafts: { ...state.value.drafts, [key]: draft } });
  if (isEmpty) void state.value.database.remove('drafts', key);
  else put('drafts', key, { ...draft, conversationId: key } satisfies KeptDraft);
}

function showConversation(conversation: Conversation): void {
  const others = state.value.conversations.filter(({ id }) => id !== conversation.id);
  const conversations = [conversation, ...others].sort((a, b) => b.updatedAt - a.updatedAt);
  state.set({ conversations });
}

function saveNow(id: string): void {
  clearTimeout(late.get(id));
  late.delete(id);
  const conversation = state.value.conversations.find((each) => each.id === id);
  if (conversation) put('conversations', id, conversation);
}

function put(store: StoreName, key: string, value: unknown): void {
  state.value.database.put(store, key, value).catch(() => notify('error', state.value.text.notSaved));
}
