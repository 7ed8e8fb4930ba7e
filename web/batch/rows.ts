/** Changes of the list of batches, of a batch and of its rows. Pure. */
import { rotated } from '../document/place.ts';
import type { Batch, Cell, Row } from './types.ts';

export function newestFirst(batches: readonly Batch[]): Batch[] {
  return [...batches].sort((a, b) => b.createdAt - a.createdAt);
}

/** The list with the new version of a batch. */
export function withBatch(batches: readonly Batch[], batch: Batch): Batch[] {
  return newestFirst([batch, ...batches.filter(({ id }) => id !== batch.id)]);
}

export function withRow(batch: Batch, rowId: string, change: Partial<Row>): Batch {
  return withRows(batch, (row) => (row.id === rowId ? { ...row, ...change } : row));
}

/** A page with its image rotated clockwise by a quarter turn; the places on it are rotated too. @param imageId the rotated image */
export function withRotation(batch: Batch, rowId: string, imageId: string): Batch {
  return withRows(batch, (row) => {
    if (row.id !== rowId) return row;
    const cells = Object.entries(row.cells).map(([id, cell]) => [
      id,
      { ...cell, evidence: cell.evidence.map((place) => rotated(place, 1)) },
    ]);
    return { ...row, imageId, cells: Object.fromEntries(cells) };
  });
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

export function withoutRow(batch: Batch, rowId: string): Batch {
  return { ...batch, rows: batch.rows.filter(({ id }) => id !== rowId) };
}

/** Puts a removed row back. If it was running, it waits again. @param index where it was */
export function withRowBack(batch: Batch, row: Row, index: number): Batch {
  return { ...batch, rows: [...batch.rows.slice(0, index), settledRow(row), ...batch.rows.slice(index)] };
}

/** Rows that were running when the page was closed, or when the batch was deleted, wait again. */
export function settledBatch(batch: Batch): Batch {
  return withRows(batch, settledRow);
}

/** Failed rows wait again; rows without an image cannot be tried again. */
export function withRetries(batch: Batch): Batch {
  return withRows(batch, (row) =>
    row.state === 'failed' && row.imageId !== null ? { ...row, state: 'waiting', failure: null } : row,
  );
}

/** All rows are asked again, as after a change of the questions. Corrections are deleted. */
export function withoutAnswers(batch: Batch): Batch {
  return withRows(batch, (row) =>
    row.imageId === null ? row : { ...row, state: 'waiting', failure: null, cells: {} },
  );
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

function settledRow(row: Row): Row {
  return row.state === 'running' ? { ...row, state: 'waiting' } : row;
}

function withRows(batch: Batch, change: (row: Row) => Row): Batch {
  return { ...batch, rows: batch.rows.map(change) };
}
