/** Loads the stored data into the page, and deletes unused data from the database. */
import { isRecord, textAt } from '../api/json.ts';
import { newestFirst as newestBatchesFirst, settledBatch } from '../batch/rows.ts';
import { isBatch } from '../batch/stored.ts';
import { isConversation } from '../conversation/import-file.ts';
import { newestFirst } from '../conversation/search.ts';
import { settled } from '../conversation/tree.ts';
import type { Conversation, StoredImage } from '../conversation/types.ts';
import { openDatabase } from '../storage/database.ts';
import { withImageIds } from '../storage/earlier.ts';
import { readDrafts } from '../storage/items.ts';
import { readSettings } from '../storage/settings.ts';
import { openBatch, saveBatchesNow } from './batches.ts';
import { keepConversation, saveAllNow, takeUnsaved } from './keeping.ts';
import { notify } from './notices.ts';
import { listenToOtherTabs } from './other-tabs.ts';
import { applySettings, darkSystem } from './settings.ts';
import { state } from './state.ts';
import { followTitle } from './tab-title.ts';
import { checkServer } from './watch.ts';

export async function start(): Promise<void> {
  applySettings(readSettings());
  darkSystem().addEventListener('change', () => applySettings(state.value.settings));
  addEventListener('languagechange', () => applySettings(state.value.settings));
  addEventListener('online', () => checkServer());
  const save = () => {
    saveAllNow();
    saveBatchesNow();
  };
  addEventListener('pagehide', save);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') checkServer();
    else save();
  });
  checkServer();
  listenToOtherTabs();
  followTitle();
  try {
    await load();
    reopen();
  } catch {
    // The page works without stored data.
    notify('error', state.value.text.notRead);
  }
}

/** After a reload, the page shows the same view, which is stored in the tab's history. */
function reopen(): void {
  const shown: unknown = history.state;
  if (isRecord(shown)) {
    const { conversations, batches } = state.value;
    const batch = batches.find(({ id }) => id === shown.batchId);
    if (batch) openBatch(batch.id, textAt(shown, 'rowId'));
    else if (conversations.some(({ id }) => id === shown.conversationId))
      state.set({ conversationId: textAt(shown, 'conversationId') });
  }
  state.subscribe(() => {
    const { conversationId, batchId, rowId } = state.value;
    const now = { conversationId, batchId, rowId };
    if (JSON.stringify(history.state) !== JSON.stringify(now)) history.replaceState(now, '');
  });
}

/** Adds the fields that earlier versions of the page did not write. */
function upToDate(conversation: Conversation): Conversation {
  return {
    ...conversation,
    title: conversation.title ?? null,
    turns: conversation.turns.map((turn) => ({
      ...turn,
      region: turn.region ?? null,
      answer: { ...turn.answer, evidence: turn.answer.evidence ?? null },
    })),
  };
}

async function load(): Promise<void> {
  const database = await openDatabase();
  const [stored, images, storedBatches] = (await Promise.all([
    database.all('conversations'),
    database.all('images'),
    database.all('batches'),
  ])) as [unknown[], StoredImage[], unknown[]];
  // Data of other versions of the page and damaged data stay in the database and are not shown.
  const read = (values: unknown[]) =>
    values
      .map((value) => withImageIds(value, 'turns'))
      .filter(isConversation)
      .map(upToDate)
      .map(settled);
  const [kept, unsaved] = [read(stored), read(takeUnsaved())];
  const drafts = readDrafts();
  const batches = storedBatches
    .map((value) => withImageIds(value, 'rows'))
    .filter(isBatch)
    .map(settledBatch);
  const conversations = [...unsaved, ...kept.filter(({ id }) => !unsaved.some((other) => other.id === id))];
  const turns = conversations.flatMap((conversation) => conversation.turns);
  const rows = batches.flatMap((batch) => batch.rows);
  const used = new Set([...Object.values(drafts), ...turns, ...rows].map(({ imageId }) => imageId));
  for (const { id } of images) if (!used.has(id)) void database.remove('images', id);
  state.set({
    database,
    drafts,
    batches: newestBatchesFirst(batches),
    conversations: newestFirst(conversations),
    images: Object.fromEntries(
      images.map((image) => [
        image.id,
        { ...image, rotation: image.rotation ?? null, video: image.video ?? null },
      ]),
    ),
  });
  unsaved.forEach(keepConversation);
}
