/** Checks the body of a chat request. Each wrong field is refused with one sentence that has its name and limits. */
import { z } from 'zod';
import type { RequiredCall } from '../../generate/required-call.ts';
import { imageQuestion } from '../../generate/types.ts';
import type { AnswerFormat, GenerateOptions } from '../../index.ts';
import { ApiError } from '../api-error.ts';
import { FORMAT_FIELDS, readAnswerFormat } from './answer-format.ts';
import { FieldCheck, fieldError, isJsonObject, type JsonObject, shown } from './fields.ts';
import { type ChatPrompt, type Message, readMessages } from './messages.ts';
import { readTools } from './tools.ts';

export interface ChatRequest {
  prompt: ChatPrompt;
  options: Omit<GenerateOptions, 'signal' | 'maxTokens'>;
  /** Upper bound; undefined: the library's default; infinite: the rest of the context. */
  maxTokens: number | undefined;
  /** The required tool call; undefined if the answer is a text. */
  call: RequiredCall | undefined;
  /** Number of answers. */
  n: number;
  stream: boolean;
  includeUsage: boolean;
  /** Send events with the progress of the image and the prompt. */
  returnProgress: boolean;
  /** Warnings about ignored fields. */
  warnings: readonly string[];
  /** Fields that the response repeats. */
  repeated: JsonObject;
}

/** Limits and names for requests. */
export interface RequestRules {
  /** Accepted values of `model`: the name of the model, aliases, then adapters. */
  names: readonly string[];
  /** The names of adapters among them. */
  adapters: readonly string[];
  /** Maximum number of answers to one request. */
  maxAnswers: number;
  /** The question about an image without text; null: the default in the language of the request. */
  imagePrompt: string | null;
}

const number = (is: (value: number) => boolean, must: string) =>
  z.custom<number>((value) => typeof value === 'number' && is(value), `must be ${must}`).nullish();
const flag = z.custom<boolean>((value) => typeof value === 'boolean', 'must be true or false').nullish();
const count = number(
  (value) => Number.isSafeInteger(value) && (value >= 1 || value === -1),
  'a whole number above 0, or -1 for no limit of its own',
);
const penalty = number((value) => Math.abs(value) <= 2, 'from -2 to 2');

const stopStrings = z
  .custom<string | string[]>((value) => {
    const list = Array.isArray(value) ? value : [value];
    return (
      list.length <= 16 && list.every((one) => typeof one === 'string' && one !== '' && one.length <= 256)
    );
  }, 'must be a string or up to 16 strings of 1 to 256 characters')
  .nullish();

/** The reader of the body keeps all digits of a seed, as a bigint if a number cannot hold them. */
const seed = z
  .custom<number | bigint | string>((value) => {
    if (typeof value === 'number') return Number.isSafeInteger(value);
    if (typeof value === 'string' && !/^-?\d{1,20}$/.test(value)) return false;
    if (typeof value !== 'bigint' && typeof value !== 'string') return false;
    return BigInt(value) >= -(2n ** 63n) && BigInt(value) < 2n ** 64n;
  }, 'must be an integer of 64 bits, or -1 for a random one')
  .nullish();

const optionsSchema = z.looseObject({
  model: z.custom<string>((value) => typeof value === 'string', 'must be the name of a model').nullish(),
  temperature: number((v) => v >= 0 && v <= 100, 'from 0 to 100'),
  top_p: number((v) => v > 0 && v <= 1, 'above 0 and at most 1'),
  top_k: number(
    (v) => Number.isSafeInteger(v) && v >= -1,
    'a whole number, 0 or above, or -1 for all tokens',
  ),
  min_p: number((v) => v >= 0 && v < 1, 'at least 0 and below 1'),
  repetition_penalty: number((v) => v > 0 && v <= 100, 'above 0 and at most 100'),
  repeat_penalty: number((v) => v > 0 && v <= 100, 'above 0 and at most 100'),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  seed,
  stop: stopStrings,
  max_tokens: count,
  max_completion_tokens: count,
  max_output_tokens: count,
  n_predict: count,
  n: number((v) => Number.isSafeInteger(v) && v >= 1, 'a whole number above 0'),
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
  logprobs: flag,
  top_logprobs: number((v) => Number.isInteger(v) && v >= 0 && v <= 20, 'a whole number from 0 to 20'),
  continue_final_message: flag,
  return_evidence: flag,
});
type Options = z.output<typeof optionsSchema>;

/** Names of the same option, in OpenAI's APIs and in llama-server's. */
const LIMIT_NAMES = ['max_completion_tokens', 'max_tokens', 'max_output_tokens', 'n_predict'] as const;
const PENALTY_NAMES = ['repetition_penalty', 'repeat_penalty'] as const;

export const OPTION_FIELDS = Object.keys(optionsSchema.shape);
const CHAT_FIELDS = [
  ...OPTION_FIELDS,
  ...FORMAT_FIELDS,
  'messages',
  'images',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'modalities',
  'store',
  'add_generation_prompt',
];

/** @throws ApiError invalid_value, unsupported, model_not_found */
export function readChatRequest(body: unknown, rules: RequestRules, acceptLanguage?: string): ChatRequest {
  const fields = new FieldCheck();
  const object = checkBody(body);
  fields.check(object, '', CHAT_FIELDS);
  if (object.store === true) fields.warn('store was ignored: the server stores nothing');
  if (object.add_generation_prompt === false && object.continue_final_message !== true) {
    fields.warn('add_generation_prompt was ignored: the model answers questions only');
  }
  const { modalities } = object;
  if (Array.isArray(modalities) && modalities.some((one) => one !== 'text')) {
    throw fieldError(
      'modalities',
      `modalities is ${shown(modalities)}, but the model answers with text.`,
      'unsupported',
    );
  }
  return readRequest(
    object,
    { messages: messagesIn(object), format: readAnswerFormat(object, fields) },
    rules,
    fields,
    acceptLanguage,
  );
}

/** Content that the two APIs have in different fields. */
export interface RequestParts {
  messages: readonly Message[];
  format: AnswerFormat | undefined;
}

/** The part of a request that is the same in both APIs. @throws ApiError invalid_value, unsupported, model_not_found */
export function readRequest(
  body: JsonObject,
  { messages, format }: RequestParts,
  { names, adapters, maxAnswers, imagePrompt }: RequestRules,
  fields: FieldCheck,
  acceptLanguage?: string,
): ChatRequest {
  const parsed = optionsSchema.safeParse(body);
  if (!parsed.success) throw optionError(parsed.error.issues[0]!, body);
  const options = parsed.data;
  checkModel(options.model ?? 'default', names);
  if (options.stream_options) fields.check(options.stream_options, 'stream_options', ['include_usage']);
  if (options.top_logprobs && options.logprobs !== true) {
    const message = `top_logprobs is ${options.top_logprobs}, but logprobs is not true.`;
    throw fieldError('top_logprobs', message);
  }
  const n = options.n ?? 1;
  if (n > maxAnswers) throw fieldError('n', `n is ${n}; the limit is ${maxAnswers} (--slots).`);
  const maxTokens = oneOf(options, LIMIT_NAMES);
  const call = readTools(body, fields);
  if (call && format) {
    throw fieldError(
      'tool_choice',
      'A required tool call and a response format exclude each other: send one of them.',
    );
  }
  const prompt = readMessages(
    messages,
    {
      continueLast: options.continue_final_message ?? false,
      imagePrompt: (isVideo) =>
        imagePrompt ??
        imageQuestion(
          messages.flatMap(({ message }) => textsOf(message)),
          acceptLanguage,
          isVideo,
        ),
    },
    fields,
  );
  if (call && prompt.answerStart !== '') {
    throw fieldError(
      'continue_final_message',
      'A required tool call cannot continue an answer: send one of them.',
    );
  }
  return {
    prompt: call ? { ...prompt, question: call.questionFor(prompt.question) } : prompt,
    options: defined({
      temperature: options.temperature,
      topP: options.top_p,
      topK: options.top_k === -1 ? 0 : options.top_k,
      minP: options.min_p,
      repetitionPenalty: oneOf(options, PENALTY_NAMES),
      presencePenalty: options.presence_penalty,
      frequencyPenalty: options.frequency_penalty,
      seed: seedOf(options.seed),
      stop: options.stop,
      template: options.template,
      evidence: options.return_evidence || undefined,
      logprobs: options.logprobs ? (options.top_logprobs ?? 0) : undefined,
      format: call?.format ?? format,
      answerStart: prompt.answerStart === '' ? undefined : prompt.answerStart,
      adapter: adapters.find((name) => name === options.model),
    }),
    maxTokens: maxTokens === -1 ? Number.POSITIVE_INFINITY : maxTokens,
    call,
    n,
    stream: options.stream ?? false,
    includeUsage: options.stream_options?.include_usage ?? false,
    returnProgress: options.return_progress ?? false,
    warnings: fields.warnings,
    repeated: {},
  };
}

export function checkBody(body: unknown): JsonObject {
  if (isJsonObject(body)) return body;
  throw new ApiError('invalid_value', `The body must be a JSON object; got ${shown(body)}.`);
}

/** @throws ApiError model_not_found */
export function checkModel(name: string, served: readonly string[]): void {
  if (name === 'default' || served.includes(name)) return;
  const message = `Model ${shown(name)} is not served here. Served: ${served.join(', ')}.`;
  throw new ApiError('model_not_found', message, { param: 'model' });
}

/** `messages`, and the field `images`, which belongs to the last question. */
function messagesIn({ messages, images }: JsonObject): Message[] {
  if (!Array.isArray(messages)) {
    throw fieldError(
      'messages',
      `messages must be a list of {"role":"...","content":"..."}; got ${shown(messages)}.`,
    );
  }
  if (messages.length === 0) throw fieldError('messages', 'messages must have at least one message; got [].');
  const list = messages.map((message: unknown, i) => {
    const at = `messages[${i}]`;
    if (!isJsonObject(message))
      throw fieldError(at, `${at} must be a message as an object; got ${shown(message)}.`);
    return { at, message };
  });
  if (Array.isArray(images) ? images.length > 0 : images != null) {
    const last = list.findLastIndex(({ message }) => message.role === 'user');
    list.splice(last + 1, 0, { at: 'images', message: { role: 'user', images } });
  }
  return list;
}

function textsOf({ content }: JsonObject): string[] {
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content)) return [];
  return content.flatMap((part: unknown) =>
    isJsonObject(part) && typeof part.text === 'string' ? [part.text] : [],
  );
}

/** The value of an option that has several names. @throws ApiError invalid_value if two names have different values */
function oneOf<K extends keyof Options>(
  options: Options,
  names: readonly K[],
): Exclude<Options[K], null | undefined> | undefined {
  const given = names.filter((name) => options[name] != null);
  const [first, ...others] = given;
  if (first === undefined) return undefined;
  const other = others.find((name) => options[name] !== options[first]);
  if (other !== undefined) {
    throw fieldError(
      String(other),
      `${String(first)} is ${shown(options[first])} and ${String(other)} ${shown(options[other])}: they mean the same, send one.`,
    );
  }
  return options[first] as Exclude<Options[K], null | undefined>;
}

function seedOf(seed: Options['seed']): number | bigint | undefined {
  const value = typeof seed === 'string' ? BigInt(seed) : (seed ?? undefined);
  return value === undefined || BigInt(value) === -1n ? undefined : value;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> };

/** Absent options remain absent, so that the library's defaults apply. */
function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as Defined<T>;
}

function optionError({ path, code, message }: z.core.$ZodIssue, body: JsonObject): ApiError {
  const param = path.map(String).join('.');
  const value = path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    body,
  );
  const must = code === 'invalid_type' && !message.startsWith('must') ? 'is of the wrong type' : message;
  return fieldError(param, `${param} ${must}; got ${shown(value)}.`);
}
