/** Converts columns to a JSON Schema and questions, and a schema to columns. Pure. */
import { isRecord, type Json, listAt, recordAt, textAt } from '../api/json.ts';
import type { Column, ColumnType, Plan, Row } from './types.ts';

const JSON_TYPES: Record<ColumnType, Json> = {
  text: { type: 'string' },
  number: { type: 'number' },
  boolean: { type: 'boolean' },
  list: { type: 'array', items: { type: 'string' } },
};

export function schemaOf(plan: Plan): Json {
  if (plan.schema) return plan.schema;
  const columns = usableColumns(plan);
  const properties = columns.map(({ name, type, hint }) => [
    name,
    { ...JSON_TYPES[type], ...(hint !== '' && { description: hint }) },
  ]);
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required: columns.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    additionalProperties: false,
  };
}

export type SchemaProblem = 'notJson' | 'notAnObject' | 'noProperties';

export class SchemaError extends Error {
  readonly problem: SchemaProblem;

  constructor(problem: SchemaProblem) {
    super(problem);
    this.problem = problem;
  }
}

/** A pasted JSON Schema and its columns: the top-level properties. @throws SchemaError */
export function readSchema(text: string, newId: () => string): { schema: Json; columns: Column[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SchemaError('notJson');
  }
  // As in a request to the API, the schema may be within an envelope with its name.
  const schema = isRecord(value) && isRecord(value.schema) && !value.properties ? value.schema : value;
  if (!isRecord(schema) || (schema.type !== undefined && schema.type !== 'object'))
    throw new SchemaError('notAnObject');
  const required = listAt(schema, 'required');
  const columns = Object.entries(recordAt(schema, 'properties')).map(([name, property]) => ({
    id: newId(),
    name,
    type: typeOf(property),
    isRequired: required.includes(name),
    hint: isRecord(property) ? (textAt(property, 'description') ?? '') : '',
  }));
  if (columns.length === 0) throw new SchemaError('noProperties');
  return { schema, columns };
}

function typeOf(property: unknown): ColumnType {
  const type = isRecord(property) ? property.type : undefined;
  const types = Array.isArray(type) ? type : [type];
  if (types.includes('number') || types.includes('integer')) return 'number';
  if (types.includes('boolean')) return 'boolean';
  return types.includes('array') ? 'list' : 'text';
}

/** The columns with a name, each name once. */
export function usableColumns({ columns }: Plan): Column[] {
  const names = new Set<string>();
  return columns.filter(({ name }) => {
    const isNew = name.trim() !== '' && !names.has(name.trim());
    names.add(name.trim());
    return isNew;
  });
}

/** The columns that a row has no answer for yet. */
export function missingColumns(plan: Plan, { cells }: Row): Column[] {
  return usableColumns(plan).filter(({ id }) => cells[id] === undefined);
}

/** The question of a column that has its own request. @param ask makes a question of a field's name */
export function questionOf({ kind }: Plan, { name, hint }: Column, ask: (name: string) => string): string {
  if (kind === 'questions') return name.trim();
  if (/[?？]\s*$/.test(hint)) return hint.trim();
  return hint.trim() === '' ? ask(name.trim()) : `${ask(name.trim())} (${hint.trim()})`;
}
