import { z } from 'zod';

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
