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

/** The values of `const` or `enum` that are of one of the types, as JSON. */
export function literals(schema: Schema, types: readonly string[] | null): string[] {
  const values = schema.const !== undefined ? [schema.const] : (schema.enum ?? []);
  const fits = (value: unknown) =>
    types === null || types.includes(typeOf(value)) || (types.includes('integer') && Number.isInteger(value));
  return values.filter(fits).map((value) => JSON.stringify(value));
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
    const known = new Set(otherValues);
    return !values.some((value) => known.has(value));
  }
  if (types.length > 1 || others.length > 1 || types[0] !== 'object') return false;
  const required = new Set(b.required);
  const shared = (a.required ?? []).filter((name) => required.has(name));
  return shared.some((name) => {
    const [one, other] = [a.properties?.[name], b.properties?.[name]];
    return isSchemaObject(one) && isSchemaObject(other) && disjoint(one, other);
  });
}

/** Like `typesOf`, with integer as number, and with the types of the values of `const` and `enum`. */
function kindsOf(schema: Schema): string[] | null {
  const values = schema.const !== undefined ? [schema.const] : schema.enum;
  const types = schema.type === undefined && values !== undefined ? values.map(typeOf) : typesOf(schema);
  return types && [...new Set(types.map((type) => (type === 'integer' ? 'number' : type)))];
}

function valuesOf(schema: Schema): string[] | null {
  if (schema.const === undefined && schema.enum === undefined) return null;
  return (schema.const !== undefined ? [schema.const] : schema.enum!).map((value) => JSON.stringify(value));
}
