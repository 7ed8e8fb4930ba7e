/** A batch: many pages with the same questions or fields, and the answers. */
import type { Failure } from '../api/connection.ts';
import type { Json } from '../api/json.ts';
import type { Place } from '../document/place.ts';

export interface Batch {
  id: string;
  name: string;
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
  plan: Plan;
  rows: Row[];
}

/** The questions or fields of each page. */
export interface Plan {
  kind: 'questions' | 'fields';
  columns: Column[];
  /** A pasted JSON Schema, whose properties are the columns. Null: the schema is made from the columns. */
  schema: Json | null;
  /** Fields: one request with the schema for the whole page, or a question for each field. */
  asks: 'together' | 'separately';
}

export const COLUMN_TYPES = ['text', 'number', 'boolean', 'list'] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

export interface Column {
  id: string;
  /** The question, or the name of the field. */
  name: string;
  type: ColumnType;
  isRequired: boolean;
  /** What the field means, or the question that asks for it. */
  hint: string;
}

type RowState = 'waiting' | 'running' | 'done' | 'failed';

/** One page. */
export interface Row {
  id: string;
  file: string;
  /** From 1; null for an image. */
  page: number | null;
  pageCount: number | null;
  /** Null for a page that could not be read as an image. */
  imageId: string | null;
  state: RowState;
  failure: Failure | null;
  /** By column. */
  cells: Record<string, Cell>;
  /** The conversation about this page. */
  conversationId: string | null;
}

export interface Cell {
  /** What the model read, as JSON. */
  value: unknown;
  /** The same in the model's own text: `9.50` for 9.5. */
  text: string;
  /** The user's correction. The model's value is kept. */
  correction: string | null;
  /** The answer does not have the type of its column. */
  isDoubtful: boolean;
  /** Where it was read, if the server reported it. */
  evidence: Place[];
}

/** The name of a row for people, such as `invoices.pdf, 2`. */
export function rowName({ file, page }: Row): string {
  return page === null ? file : `${file}, ${page}`;
}
