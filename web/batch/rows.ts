/** Changes of a batch and its rows. Pure. */
import type { Batch, Cell, Row } from './types.ts';

export function withRow(batch: Batch, rowId: string, change: Partial<Row>): Batch {
  return { ...batch, rows: batch.rows.map((row) => (row.id === rowId ? { ...row, ...change } : row)) };
}

export function withCells(batch: Batch, rowId: string, cells: Record<string, Cell>): Batch {
  const row = batch.rows.find(({ id }) => id === rowId);
  return row ? withRow(batch, rowId, { cells: { ...row.cells, ...cells } }) : batch;
}

export function withCorrection(batch: Batch, rowId: string, columnId: string, text: string | null): Batch {
  const row = batch.rows.find(({ id }) => id === rowId);
  const cell = row?.cells[columnId] ?? {
    value: null,
    text: '',
    correction: null,
    isDoubtful: false,
    evidence: [],
  };
  return withCells(batch, rowId, { [columnId]: { ...cell, correction: text } });
}

/** What was running when the page was left waits again. */
export function settledBatch(batch: Batch): Batch {
  return withStates(batch, 'running', 'waiting');
}

/** Failed rows wait again; rows without an image cannot be tried again. */
export function withRetries(batch: Batch): Batch {
  return {
    ...batch,
    rows: batch.rows.map((row) =>
      row.state === 'failed' && row.pictureId !== null ? { ...row, state: 'waiting', failure: null } : row,
    ),
  };
}

/** All rows are asked again, as after a change of the questions. Corrections go. */
export function withoutAnswers(batch: Batch): Batch {
  return {
    ...batch,
    rows: batch.rows.map((row) =>
      row.pictureId === null ? row : { ...row, state: 'waiting', failure: null, cells: {} },
    ),
  };
}

export function countStates({ rows }: Batch): Record<Row['state'], number> {
  const counts = { waiting: 0, running: 0, done: 0, failed: 0 };
  for (const { state } of rows) counts[state]++;
  return counts;
}

/** The row before or after one. */
export function neighbour({ rows }: Batch, rowId: string, step: 1 | -1): Row | undefined {
  const index = rows.findIndex(({ id }) => id === rowId);
  return index < 0 ? undefined : rows[index + step];
}

function withStates(batch: Batch, from: Row['state'], to: Row['state']): Batch {
  return { ...batch, rows: batch.rows.map((row) => (row.state === from ? { ...row, state: to } : row)) };
}
