import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { nearest } from '../../messages.ts';
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
  propertyNames: z.record(z.string(), z.unknown()),
};

export type Schema = { [K in keyof typeof enforced]?: z.infer<(typeof enforced)[K]> };

/** What says nothing about whether an answer is valid. */
const annotations = new Set([
  ...['$schema', '$id', '$anchor', '$comment', '$defs', 'definitions', '$vocabulary'],
  ...['title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'id'],
  ...['contentEncoding', 'contentMediaType', 'contentSchema'],
]);

/** Keywords that decide by themselves: only annotations may stand beside them. */
const alone = ['$ref', 'anyOf', 'oneOf', 'allOf'] as const;

export function isSchemaObject(schema: unknown): schema is Record<string, unknown> {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema);
}

/** @throws CogVLM2Error `invalid_json_schema` for a keyword that cannot be enforced or has a value of another shape. */
export function checkKeywords(schema: Record<string, unknown>, at: string): asserts schema is Schema {
  const asserting = Object.keys(schema).filter(
    (keyword) => !annotations.has(keyword) && !keyword.startsWith('x-'),
  );
  for (const keyword of asserting) {
    if (Object.hasOwn(enforced, keyword)) continue;
    const meant = nearest(keyword, Object.keys(enforced));
    refuse(
      at,
      `has ${JSON.stringify(keyword)}, which cannot be enforced${meant ? `; did you mean ${meant}?` : ''}`,
    );
  }
  for (const keyword of asserting) {
    const checked = enforced[keyword as keyof Schema].safeParse(schema[keyword]);
    if (checked.success) continue;
    const [issue] = checked.error.issues;
    refuse(at, `has a wrong ${[keyword, ...issue!.path].join('/')}: ${issue!.message}`);
  }
  for (const keyword of alone) {
    const beside = asserting.find((other) => other !== keyword);
    if (keyword in schema && beside !== undefined) {
      refuse(at, `has ${JSON.stringify(beside)} beside "${keyword}"; put it into each of its schemas`);
    }
  }
  for (const keyword of ['const', 'enum']) {
    const beside = asserting.find((other) => other !== keyword && other !== 'type');
    if (keyword in schema && beside !== undefined)
      refuse(at, `has "${beside}" beside "${keyword}"; leave one out`);
  }
  const { format, pattern } = schema as Schema;
  if (format !== undefined && pattern === undefined && !formatPatterns.has(format)) {
    const known = [...formatPatterns.keys()].join(', ');
    refuse(at, `has the format ${JSON.stringify(format)}; those that can be enforced are ${known}`);
  }
}
