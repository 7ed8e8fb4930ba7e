/** Asks about the pages of a batch, one after the other or a few at a time, and fills its table. */
import { type Failure, failureOf } from '../api/connection.ts';
import { countStates, withCells, withRetries, withRow } from '../batch/rows.ts';
import type { Row } from '../batch/types.ts';
import { askPage } from './ask-page.ts';
import { batchById, changeBatch } from './batches.ts';
import { notifyAtEnd } from './notify-at-end.ts';
import { type BatchRun, state } from './state.ts';
import { checkServer } from './watch.ts';

/** Temporary errors: the page waits for the server or its model instead of failing the row. */
const PASSING = new Set([
  'unreachable',
  'broken_off',
  'model_loading',
  'engine_stopped',
  'queue_full',
  'rate_limited',
  'shutting_down',
]);
const PAUSE_MS = 2_000;
/** A row fails after this many attempts with temporary errors. */
const MOST_TRIES = 4;
/** Number of parallel requests, if the server has several slots. */
const MOST_WORKERS = 4;

/** Runs all waiting rows. Existing answers are not requested again. */
export async function runBatch(id: string): Promise<void> {
  if (state.value.batchRuns[id] || state.value.server.kind !== 'ready') return;
  const batch = batchById(id);
  if (!batch) return;
  const abort = new AbortController();
  const total = countStates(batch).waiting;
  setRun(id, { stop: () => abort.abort(), startedAtMs: performance.now(), total, done: 0, rows: {} });
  const workers = Math.max(1, Math.min(MOST_WORKERS, state.value.info?.slots ?? 1));
  await Promise.all(Array.from({ length: workers }, () => work(id, abort.signal)));
  setRun(id, null);
  // Reads the times that the server has measured.
  checkServer(true);
  const ended = batchById(id);
  if (!abort.signal.aborted && ended) {
    const { done, failed } = countStates(ended);
    const { text } = state.value;
    state.set({ announcement: text.batch.finished(done, failed) });
    notifyAtEnd(ended.name, text.batch.finished(done, failed));
  }
}

export function stopBatch(id: string): void {
  state.value.batchRuns[id]?.stop();
}

export function retryFailed(id: string): void {
  changeBatch(id, withRetries);
  void runBatch(id);
}

/** Runs waiting rows until there are none. */
async function work(batchId: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const row = batchById(batchId)?.rows.find(({ state }) => state === 'waiting');
    if (!row) return;
    changeBatch(batchId, (now) => withRow(now, row.id, { state: 'running' }));
    await readRow(batchId, row.id, signal);
    changeRun(batchId, (run) => ({ ...run, done: run.done + 1 }));
  }
}

async function readRow(batchId: string, rowId: string, signal: AbortSignal): Promise<void> {
  const settle = (change: Partial<Row>) => changeBatch(batchId, (batch) => withRow(batch, rowId, change));
  for (let tries = 1; ; tries++) {
    const failure = await tryRow(batchId, rowId, signal);
    if (failure === null) return settle({ state: 'done', failure: null });
    if (signal.aborted) return settle({ state: 'waiting' });
    if (!PASSING.has(failure.code) || tries === MOST_TRIES) return settle({ state: 'failed', failure });
    checkServer();
    await serverIsBack(signal);
  }
}

/** One attempt. Answers of earlier attempts are kept. @returns the reason of a failure; null if the row is complete */
async function tryRow(batchId: string, rowId: string, signal: AbortSignal): Promise<Failure | null> {
  const batch = batchById(batchId);
  const row = batch?.rows.find(({ id }) => id === rowId);
  // Removed rows are skipped.
  if (!batch || !row) return null;
  try {
    await askPage(batch.plan, row, {
      signal,
      onProgress: (progress) =>
        changeRun(batchId, (run) => ({ ...run, rows: { ...run.rows, [rowId]: progress } })),
      onCells: (cells) => changeBatch(batchId, (now) => withCells(now, rowId, cells)),
    });
    return null;
  } catch (error) {
    return failureOf(error);
  } finally {
    changeRun(batchId, ({ rows: { [rowId]: _, ...rows }, ...run }) => ({ ...run, rows }));
  }
}

/** Waits for a short time, and then until the server is ready. */
async function serverIsBack(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    let isPauseOver = false;
    const look = () => {
      if (isPauseOver && state.value.server.kind === 'ready') finish();
    };
    const timer = setTimeout(() => {
      isPauseOver = true;
      look();
    }, PAUSE_MS);
    const unsubscribe = state.subscribe(look);
    signal.addEventListener('abort', finish, { once: true });
  });
}

function changeRun(id: string, change: (run: BatchRun) => BatchRun): void {
  const run = state.value.batchRuns[id];
  if (run) setRun(id, change(run));
}

function setRun(id: string, run: BatchRun | null): void {
  const { [id]: _, ...others } = state.value.batchRuns;
  state.set({ batchRuns: run ? { ...others, [id]: run } : others });
}
