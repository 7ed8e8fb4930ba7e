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

/** What an answer can be held to, and the shape of each. */
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

/** Keywords that decide whether an answer is valid and cannot be enforced. Any other keyword is no keyword. */
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
 * The keywords of a schema that an answer is held to, without annotations.
 * @param onIgnored is told, by a function that describes it, of each key that is no keyword of JSON Schema and of each unknown format: by the
 * specification they decide nothing.
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
