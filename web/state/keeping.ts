/** Changes conversations, images and drafts in the page and in the browser's database. */
import { withConversation } from '../conversation/search.ts';
import type { Conversation, Draft, StoredImage } from '../conversation/types.ts';
import type { StoreName } from '../storage/database.ts';
import { DRAFTS, readItem, removeItem, writeItem } from '../storage/items.ts';
import { notify } from './notices.ts';
import { tellOtherTabs } from './other-tabs.ts';
import { currentDraft, draftKey, state } from './state.ts';

const STREAM_SAVE_MS = 400;
const UNSAVED = 'cogvlm2-unsaved';
/** Conversations whose current version is not in the database yet. */
const unsaved = new Map<string, Conversation>();
const timers = new Map<string, ReturnType<typeof setTimeout>>();

/** Shows the new version of a conversation and stores it. */
export function keepConversation(conversation: Conversation): void {
  show(conversation);
  save(conversation.id);
}

/** The same for a streaming answer, which is not written for each piece. */
export function keepConversationSoon(conversation: Conversation): void {
  const { id } = conversation;
  show(conversation);
  if (!timers.has(id)) {
    timers.set(
      id,
      setTimeout(() => save(id), STREAM_SAVE_MS),
    );
  }
}

/** Called when the page is closed. A write to the database may not complete, so local storage is used, which writes immediately. */
export function saveAllNow(): void {
  if (unsaved.size === 0) return;
  for (const id of unsaved.keys()) save(id);
  writeItem(UNSAVED, [...unsaved.values()]);
}

/** Reads what was written when the page was closed. */
export function takeUnsaved(): Conversation[] {
  const left = readItem(UNSAVED);
  removeItem(UNSAVED);
  // This file wrote it in this shape.
  return Array.isArray(left) ? (left as Conversation[]) : [];
}

export function removeConversation(id: string): Conversation | undefined {
  const removed = state.value.conversations.find((each) => each.id === id);
  clearTimeout(timers.get(id));
  timers.delete(id);
  unsaved.delete(id);
  state.set({ conversations: state.value.conversations.filter((each) => each.id !== id) });
  void state.value.database.remove('conversations', id);
  tellOtherTabs({ removedId: id });
  return removed;
}

/** Resolves when it is stored. */
export async function keepImage(image: StoredImage): Promise<void> {
  await put('images', image.id, image);
  tellOtherTabs({ image });
  state.set({ images: { ...state.value.images, [image.id]: image } });
}

/** Drafts are small, so they are stored after each letter. */
export function changeDraft(change: Partial<Draft>): void {
  const { [draftKey(state.value)]: _, ...others } = state.value.drafts;
  const draft = { ...currentDraft(state.value), ...change };
  const isEmpty = draft.text === '' && draft.imageId === null && draft.region === null;
  const drafts = isEmpty ? others : { ...others, [draftKey(state.value)]: draft };
  state.set({ drafts });
  writeItem(DRAFTS, drafts);
}

function show(conversation: Conversation): void {
  unsaved.set(conversation.id, conversation);
  state.set({ conversations: withConversation(state.value.conversations, conversation) });
}

function save(id: string): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  const conversation = unsaved.get(id);
  if (!conversation) return;
  void put('conversations', id, conversation).then((isKept) => {
    if (isKept && unsaved.get(id) === conversation) unsaved.delete(id);
    tellOtherTabs({ conversation });
  });
}

/** False if the storage is full, which a notice reports. */
export function put(store: StoreName, key: string, value: unknown): Promise<boolean> {
  return state.value.database.put(store, key, value).then(
    () => true,
    () => {
      notify('error', state.value.text.notSaved);
      return false;
    },
  );
}
