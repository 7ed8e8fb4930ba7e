/** JSON Schema: the keywords that can be enforced, references, and the types of values that a schema allows. */

import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import { nearest } from '../messages.ts';
import { formatPatterns } from './pattern.ts';

/** @throws CogVLM2Error always. @param at JSON pointer of the schema that is at fault. */
export function refuse(at: string, reason: string): never {
  throw new CogVLM2Error('invalid_json_schema', `The schema at ${at} ${reason}.`);
}

const types = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'] as const;
const count = z.int().min(0);
const schemas = z.array(z.unknown()).min(1);

/** The keywords that can be enforced, and the shape of their values. */
const enforced = {
  type: z.union(
    [z.enum(types), z.array(z.enum(types)).min(1)],
    `must be one of ${types.join(', ')}, or a list of some of them`,
  ),
  const: z.unknown(),
  enum: z.array(z.unknown()).min(1),
  anyOf: schemas,
  oneOf: schemas,
  allOf: schemas,
  $ref: z.string(),
  minLength: count,
  maxLength: count,
  pattern: z.string(),
  format: z.string(),
  minimum: z.number(),
  maximum: z.number(),
  exclusiveMinimum: z.number(),
  exclusiveMaximum: z.number(),
  multipleOf: z.number().positive(),
  prefixItems: z.array(z.unknown()),
  items: z.unknown(),
  additionalItems: z.unknown(),
  minItems: count,
  maxItems: count,
  properties: z.record(z.string(), z.unknown()),
  required: z.array(z.string()),
  additionalProperties: z.unknown(),
  propertyNames: z.union([z.boolean(), z.record(z.string(), z.unknown())]),
};

export type Schema = { [K in keyof typeof enforced]?: z.infer<(typeof enforced)[K]> };

/** Keywords of JSON Schema and of OpenAPI that do not decide whether an answer is valid. */
const annotations = new Set([
  ...['$schema', '$id', '$anchor', '$dynamicAnchor', '$comment', '$defs', 'definitions', '$vocabulary', 'id'],
  ...['title', 'description', 'default', 'example', 'examples', 'deprecated', 'readOnly', 'writeOnly'],
  ...['contentEncoding', 'contentMediaType', 'contentSchema'],
  ...['discriminator', 'externalDocs', 'xml'],
]);

/** Keywords that decide whether an answer is valid and cannot be enforced. A key in no list here is no keyword of JSON Schema. */
const unsupported = new Set([
  ...['not', 'if', 'then', 'else', 'dependentSchemas', 'dependentRequired', 'dependencies'],
  ...['uniqueItems', 'contains', 'minContains', 'maxContains', 'unevaluatedItems'],
  ...['patternProperties', 'minProperties', 'maxProperties', 'unevaluatedProperties'],
  ...['$dynamicRef', '$recursiveRef', 'extends', 'disallow', 'divisibleBy'],
]);

/** Only annotations may occur beside these keywords. */
const exclusive = ['$ref', 'anyOf', 'oneOf', 'allOf'] as const;

export function isSchemaObject(schema: unknown): schema is Record<string, unknown> {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema);
}

/**
 * The keywords of a schema that are enforced.
 * @param onIgnored called for each key that is no keyword of JSON Schema and for each unknown format, with a function that
 * describes it. By the specification, both have no effect.
 * @throws CogVLM2Error `invalid_json_schema` for a keyword that cannot be enforced or has a value of another shape.
 */
export function readKeywords(
  schema: Record<string, unknown>,
  at: string,
  onIgnored: (describe: () => string) => void,
): Schema {
  const read: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (annotations.has(keyword) || keyword.startsWith('x-')) continue;
    if (unsupported.has(keyword)) refuse(at, `has ${JSON.stringify(keyword)}, which cannot be enforced`);
    if (!isEnforced(keyword)) {
      onIgnored(() => {
        const meant = nearest(keyword.slice(0, 60), Object.keys(enforced));
        return `${JSON.stringify(keyword)} at ${at}${meant ? ` (did you mean ${meant}?)` : ''}`;
      });
      continue;
    }
    const checked = enforced[keyword].safeParse(value);
    if (!checked.success) {
      const [issue] = checked.error.issues;
      refuse(at, `has a wrong ${[keyword, ...issue!.path].join('/')}: ${issue!.message}`);
    }
    if (keyword === 'format' && typeof value === 'string' && !formatPatterns.has(value))
      onIgnored(() => `format ${JSON.stringify(value)} at ${at}`);
    else read[keyword] = value;
  }
  const present = Object.keys(read);
  for (const keyword of exclusive) {
    const beside = present.find((other) => other !== keyword);
    if (keyword in read && beside !== undefined)
      refuse(at, `has ${JSON.stringify(beside)} beside "${keyword}"; put it into each of its schemas`);
  }
  for (const keyword of ['const', 'enum']) {
    const beside = present.find((other) => other !== keyword && other !== 'type');
    if (keyword in read && beside !== undefined)
      refuse(at, `has "${beside}" beside "${keyword}"; leave one out`);
  }
  // Each value has just been checked against its keyword's shape.
  return read as Schema;
}

function isEnforced(keyword: string): keyword is keyof Schema {
  return Object.hasOwn(enforced, keyword);
}

/** The targets of the JSON pointers within a schema. References to references are followed. */
export class References {
  readonly #root: unknown;
  /** Every reference of a chain gets its target when the chain is followed for the first time. */
  readonly #targets = new Map<string, unknown>();

  constructor(root: unknown) {
    this.#root = root;
  }

  /** @throws CogVLM2Error `invalid_json_schema` */
  target(reference: string, at: string): unknown {
    const passed = new Set<string>();
    let pointer = reference;
    let target: unknown;
    for (;;) {
      if (passed.has(pointer)) refuse(at, `refers to itself through ${JSON.stringify(pointer)} only`);
      passed.add(pointer);
      if (this.#targets.has(pointer)) {
        target = this.#targets.get(pointer);
        break;
      }
      target = follow(this.#root, pointer, at);
      if (!isSchemaObject(target) || typeof target.$ref !== 'string') break;
      pointer = target.$ref;
    }
    for (const each of passed) this.#targets.set(each, target);
    return target;
  }
}

function follow(root: unknown, pointer: string, at: string): unknown {
  const [document, ...parts] = pointer.split('/');
  if (document !== '#')
    refuse(at, `refers to ${JSON.stringify(pointer)}; only references within the schema are followed`);
  let target: unknown = root;
  for (const part of parts) {
    const name = decoded(part, pointer, at).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, name)) {
      refuse(at, `refers to ${JSON.stringify(pointer)}, which does not exist`);
    }
    target = (target as Record<string, unknown>)[name];
  }
  return target;
}

function decoded(part: string, pointer: string, at: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    refuse(at, `refers to ${JSON.stringify(pointer)}, which is not percent-encoded as a URI is`);
  }
}

/** The types of a schema; without `type`, derived from its keywords. Null if they allow all types. */
export function typesOf(schema: Schema): readonly string[] | null {
  if (schema.type !== undefined) return [schema.type].flat();
  const has = (...keywords: (keyof Schema)[]) => keywords.some((keyword) => schema[keyword] !== undefined);
  if (has('properties', 'required', 'additionalProperties', 'propertyNames')) return ['object'];
  if (has('items', 'prefixItems', 'minItems', 'maxItems')) return ['array'];
  if (has('pattern', 'format', 'minLength', 'maxLength')) return ['string'];
  if (has('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf')) return ['number'];
  return null;
}

/** Whether a value has one of the types; null: all types. */
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
