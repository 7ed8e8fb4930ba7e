/** A typed value from an answer: zod schema to JSON Schema, enforced while sampling, parsed and validated. */
import { z } from 'zod';
import { CogVLM2Error } from '../errors.ts';
import type { AnswerFormat } from '../grammar/answer-format.ts';
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

/** The question followed by the schema: the mask enforces the form, but only the prompt tells the model the meaning. */
export function askForJson(question: string, schema: object): string {
  const { $schema: _, ...told } = schema as { $schema?: unknown };
  return `${question}\nAnswer with JSON for this schema: ${JSON.stringify(told)}`;
}

/**
 * @throws CogVLM2Error `answer_incomplete` when the answer was cut, `answer_rejected` when a check of the schema that
 * JSON Schema cannot express (a refinement) refuses it, `aborted`.
 */
export function readValue<S extends z.ZodType>(schema: S, answer: Answer): Extraction<z.output<S>> {
  const { finishReason, text, usage } = answer;
  if (finishReason === 'aborted')
    throw new CogVLM2Error('aborted', 'Stopped before the answer was complete.');
  if (finishReason === 'length') {
    throw new CogVLM2Error(
      'answer_incomplete',
      `The answer was cut after ${usage.completionTokens} tokens, before its JSON was complete; raise maxTokens. It began: ${shortened(text)}`,
    );
  }
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return { ...answer, value: parsed.data };
  throw new CogVLM2Error(
    'answer_rejected',
    `The answer has the form of the schema, but does not pass its checks: ${z.prettifyError(parsed.error)}\nIt was: ${shortened(text)}`,
    { cause: parsed.error },
  );
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
