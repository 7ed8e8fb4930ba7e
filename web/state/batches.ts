/** Actions on batches, and their storage in the browser's database. */
import {
  settledBatch,
  withBatch,
  withCorrection,
  withoutAnswers,
  withoutRow,
  withRowBack,
} from '../batch/rows.ts';
import type { Batch, Plan, Row } from '../batch/types.ts';
import { newId } from '../storage/new-id.ts';
import { put } from './keeping.ts';
import { notify } from './notices.ts';
import { tellOtherTabs } from './other-tabs.ts';
import { stopBatch } from './run-batch.ts';
import { state, withoutBatch } from './state.ts';

/** Each letter and each answer is a change. Changes are written together. */
const SAVE_MS = 300;
const timers = new Map<string, ReturnType<typeof setTimeout>>();

/** Shows the new version of a batch, and stores it soon. */
export function keepBatch(batch: Batch): void {
  state.set({ batches: withBatch(state.value.batches, batch) });
  if (!timers.has(batch.id))
    timers.set(
      batch.id,
      setTimeout(() => save(batch.id), SAVE_MS),
    );
}

/** Stores all pending changes before the page is closed. */
export function saveBatchesNow(): void {
  for (const id of [...timers.keys()]) save(id);
}

function save(id: string): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  const batch = batchById(id);
  if (batch) void put('batches', id, batch).then(() => tellOtherTabs({ batch }));
}

/** Changes the current version of a batch, because other rows may have received answers. */
export function changeBatch(id: string, change: (batch: Batch) => Batch): void {
  const batch = batchById(id);
  if (batch) keepBatch({ ...change(batch), updatedAt: Date.now() });
}

export function batchById(id: string | null): Batch | undefined {
  return state.value.batches.find((batch) => batch.id === id);
}

export function newBatch(name: string, rows: Row[] = []): Batch {
  const now = Date.now();
  const plan: Plan = { kind: 'questions', columns: [], schema: null, asks: asksByDefault() };
  return { id: newId(), name, createdAt: now, updatedAt: now, plan, rows };
}

/** A small model answers single questions better than it writes JSON. */
function asksByDefault(): Plan['asks'] {
  return state.value.info?.isDemo ? 'separately' : 'together';
}

/** @param rowId a page of it, which is shown instead of the table */
export function openBatch(id: string, rowId: string | null = null): void {
  const row = batchById(id)?.rows.find((each) => each.id === rowId);
  state.set({
    batchId: id,
    rowId: row?.id ?? null,
    conversationId: row?.conversationId ?? null,
    isSidebarOpen: false,
    editing: null,
    marked: [],
  });
}

/** @param name empty: the name stays */
export function renameBatch(id: string, name: string): void {
  changeBatch(id, (batch) => ({ ...batch, name: name.trim() || batch.name }));
}

export function changePlan(id: string, change: Partial<Plan>): void {
  changeBatch(id, (batch) => ({ ...batch, plan: { ...batch.plan, ...change } }));
}

export function correct(batchId: string, rowId: string, columnId: string, text: string | null): void {
  changeBatch(batchId, (batch) => withCorrection(batch, rowId, columnId, text));
}

export function clearAnswers(id: string): void {
  const before = batchById(id);
  if (!before) return;
  const { text } = state.value;
  changeBatch(id, withoutAnswers);
  notify('info', text.batch.cleared, { label: text.undo, run: () => keepBatch(before) });
}

export function removeRow(batchId: string, rowId: string): void {
  const rows = batchById(batchId)?.rows ?? [];
  const index = rows.findIndex(({ id }) => id === rowId);
  const row = rows[index];
  if (!row) return;
  const { text } = state.value;
  changeBatch(batchId, (batch) => withoutRow(batch, rowId));
  if (state.value.rowId === rowId) openBatch(batchId);
  const undo = () => changeBatch(batchId, (batch) => withRowBack(batch, row, index));
  notify('info', text.batch.pageRemoved, { label: text.undo, run: undo });
}

/** Deletes, and offers to undo it. */
export function deleteBatch(id: string): void {
  const { text } = state.value;
  stopBatch(id);
  const removed = batchById(id);
  if (!removed) return;
  state.set(withoutBatch(state.value, id));
  void state.value.database.remove('batches', id);
  tellOtherTabs({ removedBatchId: id });
  notify('info', text.batch.deleted, { label: text.undo, run: () => keepBatch(settledBatch(removed)) });
}
