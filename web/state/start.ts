/** What was kept, into the page; what is no longer of use, out of the database. */
import { newestFirst } from '../conversation/search.ts';
import { settled } from '../conversation/tree.ts';
import type { Conversation, Picture } from '../conversation/types.ts';
import { openDatabase } from '../storage/database.ts';
import { readDrafts } from '../storage/items.ts';
import { readSettings } from '../storage/settings.ts';
import { keepConversation, saveAllNow, takeUnsaved } from './keeping.ts';
import { listenToOtherTabs } from './other-tabs.ts';
import { applySettings, darkSystem } from './settings.ts';
import { state } from './state.ts';
import { checkServer } from './watch.ts';

export async function start(): Promise<void> {
  applySettings(readSettings());
  darkSystem().addEventListener('change', () => applySettings(state.value.settings));
  addEventListener('languagechange', () => applySettings(state.value.settings));
  addEventListener('online', () => checkServer());
  addEventListener('pagehide', saveAllNow);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') checkServer();
    else saveAllNow();
  });
  checkServer();
  listenToOtherTabs();
  await load();
  reopen();
}

/** A page that is loaded again shows what it showed: the browser keeps that with the tab's history. */
function reopen(): void {
  const id: unknown = history.state;
  const shown = state.value.conversations.find((conversation) => conversation.id === id);
  if (shown) state.set({ conversationId: shown.id });
  state.subscribe(() => {
    const { conversationId } = state.value;
    if (history.state !== conversationId) history.replaceState(conversationId, '');
  });
}

async function load(): Promise<void> {
  const database = await openDatabase();
  // The page itself wrote these, in the shapes of conversation/types.ts; an import is checked before it is written.
  const [kept, pictures] = (await Promise.all([database.all('conversations'), database.all('pictures')])) as [
    Conversation[],
    Picture[],
  ];
  const unsaved = takeUnsaved();
  const drafts = readDrafts();
  const conversations = [...unsaved, ...kept.filter(({ id }) => !unsaved.some((other) => other.id === id))];
  const turns = conversations.flatMap((conversation) => conversation.turns);
  const used = new Set([...Object.values(drafts), ...turns].map(({ pictureId }) => pictureId));
  for (const { id } of pictures) if (!used.has(id)) void database.remove('pictures', id);
  state.set({
    database,
    drafts,
    conversations: newestFirst(conversations.map(settled)),
    pictures: Object.fromEntries(pictures.map((picture) => [picture.id, picture])),
  });
  unsaved.map(settled).forEach(keepConversation);
}
