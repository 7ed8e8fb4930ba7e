/** Asks about the pages of a batch, one after the other or a few at a time, and fills its table. */
import { ApiError } from '../api/connection.ts';
import { countStates, withCells, withRetries, withRow } from '../batch/rows.ts';
import type { Batch, Row } from '../batch/types.ts';
import { askPage } from './ask-page.ts';
import { batchById, changeBatch } from './batches.ts';
import { notifyAtEnd } from './notify-at-end.ts';
import { type BatchRun, state } from './state.ts';
import { checkServer } from './watch.ts';

/** The server or its model will be back: the page waits for it instead of failing the row. */
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
/** After so many passing failures in a row a row is failed. */
const MOST_TRIES = 4;
/** Requests at the same time, where the server answers several. */
const MOST_WORKERS = 4;

/** Runs what waits. Answers that are there already are not asked for again. */
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
  // What the server has measured meanwhile.
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

/** Takes the next waiting row until there is none. */
async function work(batchId: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const batch = batchById(batchId);
    const row = batch?.rows.find(({ state }) => state === 'waiting');
    if (!batch || !row) return;
    changeBatch(batchId, (now) => withRow(now, row.id, { state: 'running' }));
    await readRow(batch, row, signal);
    changeRun(batchId, (run) => ({ ...run, done: run.done + 1 }));
  }
}

async function readRow(batch: Batch, row: Row, signal: AbortSignal): Promise<void> {
  const settle = (change: Partial<Row>) => changeBatch(batch.id, (now) => withRow(now, row.id, change));
  for (let tries = 1; ; tries++) {
    // With the answers of the try before. A row that was removed is not asked about.
    const now = batchById(batch.id)?.rows.find(({ id }) => id === row.id);
    if (!now) return;
    try {
      await askPage(batch.plan, now, {
        signal,
        onProgress: (progress) =>
          changeRun(batch.id, (run) => ({ ...run, rows: { ...run.rows, [row.id]: progress } })),
        onCells: (cells) => changeBatch(batch.id, (now) => withCells(now, row.id, cells)),
      });
      settle({ state: 'done', failure: null });
    } catch (error) {
      const code = error instanceof ApiError ? error.code : 'page';
      if (signal.aborted) settle({ state: 'waiting' });
      else if (PASSING.has(code) && tries < MOST_TRIES) {
        checkServer();
        await serverIsBack(signal);
        continue;
      } else {
        const message = error instanceof Error ? error.message : String(error);
        settle({ state: 'failed', failure: { code, message } });
      }
    } finally {
      changeRun(batch.id, ({ rows: { [row.id]: _, ...rows }, ...run }) => ({ ...run, rows }));
    }
    return;
  }
}

/** Waits for a moment, and then until the server can answer. */
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
