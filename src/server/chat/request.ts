/** The body of a chat request, checked: each wrong field is refused with one sentence that has its limits. */
import { z } from 'zod';
import type { AnswerFormat, GenerateOptions } from '../../index.ts';
import { ApiError } from '../api-error.ts';
import { type ChatPrompt, messageSchema, readMessages, shown } from './messages.ts';

export interface ChatRequest {
  prompt: ChatPrompt;
  options: Omit<GenerateOptions, 'signal'>;
  stream: boolean;
  includeUsage: boolean;
  /** Progress of the picture and of the prompt as events of the stream. */
  returnProgress: boolean;
  /** Fields that mean nothing here, for the log. */
  unknownFields: string[];
}

const number = (is: (value: number) => boolean, must: string) =>
  z.custom<number>((value) => typeof value === 'number' && is(value), `must be ${must}`).nullish();
const count = (value: number) => Number.isSafeInteger(value) && value >= 1;
const flag = z.custom<boolean>((value) => typeof value === 'boolean', 'must be true or false').nullish();
/** Accepted where it asks for nothing. */
const only = (is: (value: unknown) => boolean, refusal: string) =>
  z
    .custom<unknown>((value) => value === undefined || value === null || is(value), { params: { refusal } })
    .optional();
const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;
const isEmpty = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

const stopStrings = z
  .custom<string | string[]>((value) => {
    const list = Array.isArray(value) ? value : [value];
    return (
      list.length <= 16 && list.every((one) => typeof one === 'string' && one !== '' && one.length <= 256)
    );
  }, 'must be a string or up to 16 strings of 1 to 256 characters')
  .nullish();

const formatSchema = z.discriminatedUnion(
  'type',
  [
    z.looseObject({ type: z.literal('text') }),
    z.looseObject({ type: z.literal('json_object') }),
    z.looseObject({
      type: z.literal('json_schema'),
      json_schema: z.looseObject(
        { name: z.string().optional(), schema: z.looseObject({}, 'must be a JSON Schema as an object') },
        'must be {"name":"...","schema":{...}}',
      ),
    }),
  ],
  {
    error: ({ code }) =>
      code === 'invalid_union'
        ? 'must be text, json_object or json_schema'
        : 'must be {"type":"text"}, {"type":"json_object"} or {"type":"json_schema","json_schema":{"name":"...","schema":{...}}}',
  },
);

const chatSchema = z.looseObject({
  model: z.custom<string>((value) => typeof value === 'string', 'must be the name of a model').nullish(),
  messages: z
    .array(messageSchema, 'must be a list of {"role":"...","content":"..."}')
    .min(1, 'must have at least one message'),
  temperature: number((v) => v >= 0 && v <= 100, 'from 0 to 100'),
  top_p: number((v) => v > 0 && v <= 1, 'above 0 and at most 1'),
  top_k: number((v) => Number.isSafeInteger(v) && v >= 0, 'a whole number, 0 or above'),
  min_p: number((v) => v >= 0 && v < 1, 'at least 0 and below 1'),
  repetition_penalty: number((v) => v > 0 && v <= 100, 'above 0 and at most 100'),
  seed: number((v) => Number.isSafeInteger(v) && v >= 0, 'a whole number, 0 or above'),
  stop: stopStrings,
  max_tokens: number(count, 'a whole number above 0'),
  max_completion_tokens: number(count, 'a whole number above 0'),
  template: z
    .custom<'chat' | 'vqa' | 'base'>(
      (v) => v === 'chat' || v === 'vqa' || v === 'base',
      'must be chat, vqa or base',
    )
    .nullish(),
  stream: flag,
  stream_options: z
    .looseObject({ include_usage: flag }, 'must be an object such as {"include_usage":true}')
    .nullish(),
  return_progress: flag,
  n: only((v) => v === 1, 'one answer is made for a request: n must be 1'),
  presence_penalty: only((v) => v === 0, 'there is no presence_penalty here: use repetition_penalty'),
  frequency_penalty: only((v) => v === 0, 'there is no frequency_penalty here: use repetition_penalty'),
  logit_bias: only(isEmpty, 'there is no logit_bias here'),
  tools: z.unknown().optional(),
  tool_choice: only((v) => v === 'none' || v === 'auto', 'the model was not trained to call tools'),
  functions: only(isEmptyList, 'the model was not trained to call functions'),
  function_call: only((v) => v === 'none' || v === 'auto', 'the model was not trained to call functions'),
  modalities: only(
    (v) => Array.isArray(v) && v.every((one) => one === 'text'),
    'the model answers with text',
  ),
  audio: only(() => false, 'the model answers with text'),
  logprobs: flag,
  top_logprobs: number((v) => Number.isInteger(v) && v >= 0 && v <= 20, 'a whole number from 0 to 20'),
  response_format: formatSchema.nullish(),
});

/** Sent by clients to OpenAI's own service; they ask nothing of this one. */
const MEANINGLESS = new Set([
  'user',
  'store',
  'metadata',
  'service_tier',
  'parallel_tool_calls',
  'safety_identifier',
  'prompt_cache_key',
]);

/**
 * @param served the names that `model` may have
 * @param maxTokensLimit the most that a request may ask for
 * @throws ApiError invalid_value, unsupported, model_not_found
 */
export function readChatRequest(
  body: unknown,
  served: readonly string[],
  maxTokensLimit: number,
): ChatRequest {
  const parsed = chatSchema.safeParse(body);
  if (!parsed.success) throw refusal(parsed.error.issues[0]!, body);
  const wire = parsed.data;
  checkModel(wire.model ?? 'default', served);
  const maxTokens = wire.max_completion_tokens ?? wire.max_tokens;
  if (wire.max_tokens && wire.max_completion_tokens && wire.max_tokens !== wire.max_completion_tokens) {
    const message = `max_tokens is ${wire.max_tokens} and max_completion_tokens ${wire.max_completion_tokens}: they mean the same, send one.`;
    throw new ApiError('invalid_value', message, { param: 'max_tokens' });
  }
  if (maxTokens && maxTokens > maxTokensLimit) {
    const message = `max_tokens is ${maxTokens}; the limit is ${maxTokensLimit} (--max-answer-tokens).`;
    throw new ApiError('invalid_value', message, { param: 'max_tokens' });
  }
  // With "none" they ask for nothing.
  if (wire.tool_choice !== 'none' && wire.tools != null && !isEmptyList(wire.tools)) {
    const message = `tools is ${shown(wire.tools)}, but the model was not trained to call tools.`;
    throw new ApiError('unsupported', message, { param: 'tools' });
  }
  if (wire.top_logprobs && wire.logprobs !== true) {
    const message = `top_logprobs is ${wire.top_logprobs}, but logprobs is not true.`;
    throw new ApiError('invalid_value', message, { param: 'top_logprobs' });
  }
  const format = formatOf(wire.response_format);
  if (format !== undefined && wire.stop?.length) {
    const message = `stop is ${shown(wire.stop)}, which could cut the JSON that response_format promises whole: send one of them.`;
    throw new ApiError('invalid_value', message, { param: 'stop' });
  }
  return {
    prompt: readMessages(wire.messages),
    options: defined({
      temperature: wire.temperature,
      topP: wire.top_p,
      topK: wire.top_k,
      minP: wire.min_p,
      repetitionPenalty: wire.repetition_penalty,
      seed: wire.seed,
      stop: wire.stop,
      template: wire.template,
      maxTokens,
      logprobs: wire.logprobs ? (wire.top_logprobs ?? 0) : undefined,
      format,
    }),
    stream: wire.stream ?? false,
    includeUsage: wire.stream_options?.include_usage ?? false,
    returnProgress: wire.return_progress ?? false,
    unknownFields: Object.keys(wire).filter((key) => !(key in chatSchema.shape) && !MEANINGLESS.has(key)),
  };
}

/** @throws ApiError model_not_found */
export function checkModel(name: string, served: readonly string[]): void {
  if (name === 'default' || served.includes(name)) return;
  const message = `Model ${shown(name)} is not served here. Served: ${served.join(', ')}.`;
  throw new ApiError('model_not_found', message, { param: 'model' });
}

function formatOf(format: z.output<typeof formatSchema> | null | undefined): AnswerFormat | undefined {
  if (!format || format.type === 'text') return undefined;
  if (format.type === 'json_object') return { type: 'json_object' };
  return { type: 'json_schema', schema: format.json_schema.schema };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> };

/** What is absent stays absent, so that the library's own default holds. */
function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as Defined<T>;
}

function refusal(issue: z.core.$ZodIssue, body: unknown): ApiError {
  const param = issue.path.reduce<string>(
    (path, key) =>
      typeof key === 'number' ? `${path}[${key}]` : path === '' ? String(key) : `${path}.${String(key)}`,
    '',
  );
  if (param === '')
    return new ApiError('invalid_value', `The body must be a JSON object; got ${shown(body)}.`);
  const value = issue.path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    body,
  );
  const refused: unknown = issue.code === 'custom' ? issue.params?.refusal : undefined;
  if (refused !== undefined) {
    return new ApiError('unsupported', `${param} is ${shown(value)}, but ${refused}.`, { param });
  }
  const must =
    issue.code === 'invalid_type' && !issue.message.startsWith('must')
      ? `must be of type ${issue.expected}`
      : issue.message;
  return new ApiError('invalid_value', `${param} ${must}; got ${shown(value)}.`, { param });
}
