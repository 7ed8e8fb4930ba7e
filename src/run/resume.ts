/** A run may resume a file only with the same settings, because its answers depend on them. */

import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';

/** @throws CogVLM2Error `invalid_value` with each different setting and both values */
export function checkSameSettings(file: string, earlier: unknown, now: unknown): void {
  const differences = differencesOf(earlier, now);
  if (differences.length === 0) return;
  throw new CogVLM2Error(
    'invalid_value',
    `${file} was made with other settings: ${differences.join('; ')}. Use those, or give another --output.`,
  );
}

/** "temperature was 0 and is 0.5" for each leaf in which two JSON values differ. */
export function differencesOf(earlier: unknown, now: unknown, name = ''): string[] {
  if (isObject(earlier) && isObject(now)) {
    const keys = [...new Set([...Object.keys(earlier), ...Object.keys(now)])];
    return keys.flatMap((key) => differencesOf(earlier[key], now[key], name === '' ? key : `${name}.${key}`));
  }
  if (JSON.stringify(earlier) === JSON.stringify(now)) return [];
  return [`${name} was ${shown(earlier)} and is ${shown(now)}`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return value === undefined ? 'not there' : JSON.stringify(value);
}

/** `schema` for objects of version 0.2 too, which wrote the field `name` as `oldName`. */
export function withOldName<Schema extends z.ZodType>(schema: Schema, name: string, oldName: string) {
  return z.preprocess(
    (value) =>
      typeof value === 'object' && value !== null && oldName in value
        ? { ...value, [name]: Reflect.get(value, oldName) }
        : value,
    schema,
  );
}
