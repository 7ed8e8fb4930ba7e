/** Whether what the browser stored is a batch that the page can work with. */
import { isRecord, listAt, recordAt } from '../api/json.ts';
import { type Batch, COLUMN_TYPES } from './types.ts';

export function isBatch(value: unknown): value is Batch {
  if (!isRecord(value) || !isText(value.id) || !isText(value.name)) return false;
  if (typeof value.createdAt !== 'number' || typeof value.updatedAt !== 'number') return false;
  const plan = recordAt(value, 'plan');
  const isPlan = ['questions', 'fields'].includes(String(plan.kind)) && Array.isArray(plan.columns);
  return (
    isPlan && listAt(plan, 'columns').every(isColumn) && Array.isArray(value.rows) && value.rows.every(isRow)
  );
}

function isColumn(value: unknown): boolean {
  return (
    isRecord(value) &&
    isText(value.id) &&
    isText(value.name) &&
    isText(value.hint) &&
    COLUMN_TYPES.some((type) => type === value.type)
  );
}

function isRow(value: unknown): boolean {
  if (!isRecord(value) || !isText(value.id) || !isText(value.file) || !isRecord(value.cells)) return false;
  const isState = ['waiting', 'running', 'done', 'failed'].includes(String(value.state));
  return (
    isState &&
    Object.values(value.cells).every(
      (cell) => isRecord(cell) && isText(cell.text) && Array.isArray(cell.evidence),
    )
  );
}

const isText = (value: unknown): value is string => typeof value === 'string';
