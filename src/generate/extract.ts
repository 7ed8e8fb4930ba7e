/** A typed value from an answer: zod schema to JSON Schema, enforced while sampling, parsed and validated. */

import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import type { AnswerFormat } from '../grammar/answer-grammar.ts';
import type { Answer, GenerateOptions } from './types.ts';

export interface ExtractOptions extends Omit<GenerateOptions, 'format' | 'stop' | 'answerStart'> {
  /** The question; the schema is added after it. Default: to read the image. */
  question?: string;
}

/** The answer and its value. */
export interface Extraction<T> extends Answer {
  value: T;
}

/**
 * The JSON Schema of a zod schema's input, before defaults and transforms.
 * @throws CogVLM2Error `invalid_json_schema` for types that JSON does not have.
 */
export function formatOf(schema: z.ZodType): Extract<AnswerFormat, { type: 'json_schema' }> {
  try {
    return { type: 'json_schema', schema: z.toJSONSchema(schema, { io: 'input' }) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CogVLM2Error('invalid_json_schema', `The zod schema has no JSON schema: ${reason}`, { cause });
  }
}

/** The question and the schema: the mask enforces the form, but only the prompt tells the model its meaning. */
export function askForJson(question: string, schema: object): string {
  const { $schema: _, ...told } = schema as { $schema?: unknown };
  return `${question}\nAnswer with JSON for this schema: ${JSON.stringify(told)}`;
}

/**
 * @throws CogVLM2Error `answer_incomplete` if the answer was cut, `answer_rejected` if a check of the schema that
 * JSON Schema cannot express (a refinement) refuses it, `aborted`.
 */
export function readValue<S extends z.ZodType>(schema: S, answer: Answer): Extraction<z.output<S>> {
  const text = completeText(answer, 'answer');
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return { ...answer, value: parsed.data };
  throw new CogVLM2Error(
    'answer_rejected',
    `The answer has the form of the schema, but does not pass its checks: ${z.prettifyError(parsed.error)}\nIt was: ${shortened(text)}`,
    { cause: parsed.error },
  );
}

/** @param subject names the answer in a message, as in `answer for "total"` */
function completeText({ finishReason, text, usage }: Answer, subject: string): string {
  if (finishReason === 'stop') return text;
  if (finishReason === 'aborted')
    throw new CogVLM2Error('aborted', `Stopped before the ${subject} was complete.`);
  throw new CogVLM2Error(
    'answer_incomplete',
    `The ${subject} was cut after ${usage.completionTokens} tokens, before it was complete; raise maxTokens. It began: ${shortened(text)}`,
  );
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

// A typed object from an image, with one question per field. The questions share the image's KV cache.

export type FieldOptions = Omit<GenerateOptions, 'format' | 'stop' | 'answerStart' | 'logprobs'>;

export interface FieldExtraction<T> {
  value: T;
  /** The answer to each field's question, by field name. */
  answers: Record<string, Answer>;
}

interface Field {
  name: string;
  question: string;
  /** Undefined for free text. */
  format: AnswerFormat | undefined;
  /** True if the answer is JSON; false if its text is the value. */
  isJson: boolean;
}

/**
 * The question and the answer format of each field. A field's description is its question; without one the question is
 * made from the name: `unitPrice` gives "What is the unit price?".
 * @throws CogVLM2Error `invalid_json_schema` for a type that JSON does not have.
 */
export function fieldsOf(schema: z.ZodObject): Field[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const format = formatOf(z.object({ field }));
    const { properties } = z
      .looseObject({ properties: z.object({ field: jsonSchema }) })
      .parse(format.schema);
    const { description, type, pattern, enum: choices } = properties.field;
    const question = description ?? `What is the ${asWords(name)}?`;
    if (type !== 'string')
      return { name, question, isJson: true, format: { type: 'json_schema', schema: properties.field } };
    // A bare text instead of a JSON string: a small model reads worse when its answer starts with a quotation mark.
    if (choices) return { name, question, isJson: false, format: { type: 'choice', choices } };
    if (pattern?.startsWith('^') && pattern.endsWith('$'))
      return { name, question, isJson: false, format: { type: 'regex', pattern } };
    return { name, question, isJson: false, format: undefined };
  });
}

/** The parts of a field's JSON Schema that decide its question. */
const jsonSchema = z.looseObject({
  description: z.string().optional(),
  type: z.unknown(),
  pattern: z.string().optional(),
  enum: z.array(z.string()).optional().catch(undefined),
});

function asWords(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
}

/**
 * Builds the object from the answers.
 * @throws CogVLM2Error `answer_incomplete` if an answer was cut, `answer_rejected` if the schema refuses a value,
 * `aborted`.
 */
export function objectOf<S extends z.ZodObject>(
  schema: S,
  fields: readonly Field[],
  answers: Record<string, Answer>,
): z.output<S> {
  const read = fields.flatMap(({ name, isJson }) => {
    const answer = answers[name];
    if (answer === undefined) return [];
    const text = completeText(answer, `answer for "${name}"`);
    return [[name, isJson ? JSON.parse(text) : text]];
  });
  const parsed = schema.safeParse(Object.fromEntries(read));
  if (parsed.success) return parsed.data;
  throw new CogVLM2Error(
    'answer_rejected',
    `The answers do not pass the checks of the schema: ${z.prettifyError(parsed.error)}`,
    { cause: parsed.error },
  );
}
