/** What was kept, into the page; what is no longer of use, out of the database. */
import { settled } from '../conversation/tree.ts';
import type { Conversation, KeptDraft, Picture } from '../conversation/types.ts';
import { openDatabase } from '../storage/database.ts';
import { readSettings } from '../storage/settings.ts';
import { saveAllNow } from './keeping.ts';
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
  await load();
}

async function load(): Promise<void> {
  const database = await openDatabase();
  // The page itself wrote these, in the shapes of conversation/types.ts; an import is checked before it is written.
  const [conversations, pictures, drafts] = (await Promise.all([
    database.all('conversations'),
    database.all('pictures'),
    database.all('drafts'),
  ])) as [Conversation[], Picture[], KeptDraft[]];
  const used = new Set(
    [...drafts, ...conversations.flatMap(({ turns }) => turns)].map(({ pictureId }) => pictureId),
  );
  for (const { id } of pictures) if (!used.has(id)) void database.remove('pictures', id);
  state.set({
    database,
    conversations: conversations.map(settled).sort((a, b) => b.updatedAt - a.updatedAt),
    pictures: Object.fromEntries(pictures.map((picture) => [picture.id, picture])),
    drafts: Object.fromEntries(drafts.map((draft) => [draft.conversationId, draft])),
  });
}
