/** Reads received JSON without trusting its shape. */
export type Json = Record<string, unknown>;

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object under a key; without one, an empty object. */
export function recordAt(value: unknown, key: string): Json {
  const at = isRecord(value) ? value[key] : undefined;
  return isRecord(at) ? at : {};
}

export function numberAt(record: Json, key: string): number | null {
  const value = record[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function textAt(record: Json, key: string): string | null {
  const value = record[key];
  return typeof value === 'string' ? value : null;
}

export function listAt(record: Json, key: string): unknown[] {
  const value = record[key];
  return Array.isArray(value) ? value : [];
}
