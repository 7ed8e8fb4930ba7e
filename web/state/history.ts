/** Actions of the list of conversations. */
import { exportFile } from '../conversation/export-file.ts';
import { ImportError, mergeImport, parseExport } from '../conversation/import-file.ts';
import { settled, showing } from '../conversation/tree.ts';
import type { Conversation, Turn } from '../conversation/types.ts';
import { newId } from '../storage/new-id.ts';
import { stop } from './ask.ts';
import { keepConversation, keepImage, removeConversation } from './keeping.ts';
import { notify } from './notices.ts';
import { saveFile } from './save-file.ts';
import { state } from './state.ts';

export function openConversation(id: string | null): void {
  state.set({
    conversationId: id,
    batchId: null,
    rowId: null,
    isSidebarOpen: false,
    editing: null,
    marked: [],
  });
}

/** @param title empty: the page names it again */
export function renameConversation(id: string, title: string): void {
  const conversation = state.value.conversations.find((each) => each.id === id);
  if (conversation) keepConversation({ ...conversation, title: title.trim() === '' ? null : title.trim() });
}

export function showVersion(conversation: Conversation, turn: Turn): void {
  keepConversation(showing(conversation, turn));
}

/** Deletes, and offers to undo it. */
export function deleteConversation(id: string): void {
  const { text } = state.value;
  if (state.value.conversationId === id) openConversation(null);
  const removed = take(id);
  if (!removed) return;
  notify('info', text.conversationDeleted, { label: text.undo, run: () => keepConversation(removed) });
}

export function deleteAllConversations(): void {
  const { conversations, text } = state.value;
  openConversation(null);
  const removed = conversations.flatMap(({ id }) => take(id) ?? []);
  notify('info', text.deletedAll, { label: text.undo, run: () => removed.forEach(keepConversation) });
}

export async function exportConversations(): Promise<void> {
  const { conversations, images, text } = state.value;
  const file = await exportFile(conversations, images);
  saveFile(file, `cogvlm2-${new Date().toISOString().slice(0, 10)}.json`);
  notify('info', text.exported(conversations.length));
}

export async function importConversations(file: Blob): Promise<void> {
  const { text, conversations } = state.value;
  try {
    const imported = parseExport(await file.text());
    const { added, known } = mergeImport(imported, conversations, newId);
    await Promise.all(imported.images.map(keepImage));
    added.forEach(keepConversation);
    notify('info', text.imported(added.length, known));
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    const { problem, where } = error;
    const reasons = text.importReasons;
    notify('error', text.importFailed(problem === 'broken' ? reasons.broken(where) : reasons[problem]));
  }
}

/** Removes it from the list and stops its running answers. */
function take(id: string): Conversation | undefined {
  const removed = removeConversation(id);
  for (const turn of removed?.turns ?? []) stop(turn.id);
  return removed && settled(removed);
}
