/** What was kept, into the page; what is no longer of use, out of the database. */
import { isConversation } from '../conversation/import-file.ts';
import { newestFirst } from '../conversation/search.ts';
import { settled } from '../conversation/tree.ts';
import type { Picture } from '../conversation/types.ts';
import { openDatabase } from '../storage/database.ts';
import { readDrafts } from '../storage/items.ts';
import { readSettings } from '../storage/settings.ts';
import { keepConversation, saveAllNow, takeUnsaved } from './keeping.ts';
import { notify } from './notices.ts';
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
  try {
    await load();
    reopen();
  } catch {
    // The page works without what was kept.
    notify('error', state.value.text.notRead);
  }
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
  const [stored, pictures] = (await Promise.all([
    database.all('conversations'),
    database.all('pictures'),
  ])) as [unknown[], Picture[]];
  // What another version of the page, or a damaged database, left stays in the database and is not shown.
  const kept = stored.filter(isConversation);
  const unsaved = takeUnsaved().filter(isConversation);
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
