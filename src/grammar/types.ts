import { isSchemaObject, type Schema } from './keywords.ts';

/** The types of a schema; without `type`, derived from its keywords. Null when they say nothing. */
export function typesOf(schema: Schema): readonly string[] | null {
  if (schema.type !== undefined) return [schema.type].flat();
  const has = (...keywords: (keyof Schema)[]) => keywords.some((keyword) => schema[keyword] !== undefined);
  if (has('properties', 'required', 'additionalProperties', 'propertyNames')) return ['object'];
  if (has('items', 'prefixItems', 'minItems', 'maxItems')) return ['array'];
  if (has('pattern', 'format', 'minLength', 'maxLength')) return ['string'];
  if (has('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf')) return ['number'];
  return null;
}

/** Whether a value is of one of the types; null stands for all. */
export function isOneOf(value: unknown, types: readonly string[] | null): boolean {
  return (
    types === null || types.includes(typeOf(value)) || (types.includes('integer') && Number.isInteger(value))
  );
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Whether no value matches both schemas: by their types, their values, or a property that both require. */
export function disjoint(a: Schema, b: Schema): boolean {
  const [types, others] = [kindsOf(a), kindsOf(b)];
  if (types === null || others === null) return false;
  if (!types.some((type) => others.includes(type))) return true;
  const [values, otherValues] = [valuesOf(a), valuesOf(b)];
  if (values !== null && otherValues !== null) {
    const [fewer, more] = values.size < otherValues.size ? [values, otherValues] : [otherValues, values];
    return !Array.from(fewer).some((value) => more.has(value));
  }
  if (types.length > 1 || others.length > 1 || types[0] !== 'object') return false;
  const required = new Set(b.required);
  const shared = (a.required ?? []).filter((name) => required.has(name));
  return shared.some((name) => {
    const [one, other] = [a.properties?.[name], b.properties?.[name]];
    return isSchemaObject(one) && isSchemaObject(other) && disjoint(one, other);
  });
}

/** A schema is compared with many others. */
const knownKinds = new WeakMap<Schema, string[] | null>();
const knownValues = new WeakMap<Schema, Set<string>>();

/** Like `typesOf`, with integer as number, and with the types of the values of `const` and `enum`. */
function kindsOf(schema: Schema): string[] | null {
  const known = knownKinds.get(schema);
  if (known !== undefined) return known;
  const values = schema.const !== undefined ? [schema.const] : schema.enum;
  const types = schema.type === undefined && values !== undefined ? values.map(typeOf) : typesOf(schema);
  const kinds = types && [...new Set(types.map((type) => (type === 'integer' ? 'number' : type)))];
  knownKinds.set(schema, kinds);
  return kinds;
}

/** As JSON. Null for a schema that does not list its values. */
function valuesOf(schema: Schema): Set<string> | null {
  if (schema.const === undefined && schema.enum === undefined) return null;
  const known = knownValues.get(schema);
  if (known !== undefined) return known;
  const listed = schema.const !== undefined ? [schema.const] : schema.enum!;
  const values = new Set(listed.map((value) => JSON.stringify(value)));
  knownValues.set(schema, values);
  return values;
}
