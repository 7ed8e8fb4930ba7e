/** Converts the body of `POST /v1/responses` to a chat request: items become messages. The server keeps no state. */
import { responseFormat } from './answer-format.ts';
import { FieldCheck, fieldError, isJsonObject, type JsonObject, shown } from './fields.ts';
import type { Message } from './messages.ts';
import { type ChatRequest, checkBody, OPTION_FIELDS, type RequestRules, readRequest } from './request.ts';

const RESPONSES_FIELDS = [
  ...OPTION_FIELDS.filter((name) => !['n', 'logprobs', 'return_evidence'].includes(name)),
  'input',
  'instructions',
  'text',
  'tools',
  'tool_choice',
  'include',
  'store',
  'truncation',
  'reasoning',
];

/** Fields that a response repeats from the request. */
const REPEATED_FIELDS = [
  'instructions',
  'max_output_tokens',
  'max_tool_calls',
  'metadata',
  'parallel_tool_calls',
  'temperature',
  'text',
  'tool_choice',
  'tools',
  'top_logprobs',
  'top_p',
  'user',
];

/** Fields that need a stored response, or work after the end of the connection. */
const STATEFUL: Partial<Record<string, string>> = {
  previous_response_id: 'The server stores no responses: send the whole conversation in input.',
  conversation: 'The server stores no conversations: send the whole conversation in input.',
  prompt: 'The server stores no prompts: put the text into instructions and input.',
  background: 'An answer ends with its connection: send background false.',
};

/** @throws ApiError invalid_value, unsupported, model_not_found */
export function readResponsesRequest(
  body: unknown,
  rules: RequestRules,
  acceptLanguage?: string,
): ChatRequest {
  const fields = new FieldCheck();
  const object = checkBody(body);
  for (const [name, remedy] of Object.entries(STATEFUL)) {
    const value = object[name];
    if (value != null && value !== false)
      throw fieldError(name, `${name} is not supported here. ${remedy}`, 'unsupported');
  }
  fields.check(object, '', RESPONSES_FIELDS);
  if (object.store === true) fields.warn('store was ignored: the server stores nothing');
  if (object.truncation === 'auto') fields.warn('truncation was ignored: nothing is ever cut from a prompt');
  if (isJsonObject(object.reasoning)) fields.check(object.reasoning, 'reasoning', []);
  // Like OpenAI: only the number enables it.
  const { top_logprobs: topLogprobs, include } = object;
  const withLogprobs = Array.isArray(include) && include.includes('message.output_text.logprobs');
  const known = pick(object, RESPONSES_FIELDS);
  const request = readRequest(
    { ...known, ...(withLogprobs || topLogprobs ? { logprobs: true } : {}) },
    { messages: messagesIn(object, fields), format: formatIn(object, fields) },
    rules,
    fields,
    acceptLanguage,
  );
  return { ...request, repeated: pick(object, REPEATED_FIELDS) };
}

function pick(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.filter((name) => object[name] != null).map((name) => [name, object[name]]));
}

function formatIn({ text }: JsonObject, fields: FieldCheck) {
  if (text === undefined || text === null) return undefined;
  if (!isJsonObject(text)) {
    throw fieldError(
      'text',
      `text must be an object such as {"format":{"type":"text"}}; got ${shown(text)}.`,
    );
  }
  fields.check(text, 'text', ['format', 'verbosity']);
  if (text.verbosity != null && text.verbosity !== 'medium') {
    fields.warn('text.verbosity was ignored: it is not supported here');
  }
  return text.format == null ? undefined : responseFormat(text.format, fields, 'text.format');
}

function messagesIn({ input, instructions }: JsonObject, fields: FieldCheck): Message[] {
  const messages: Message[] = [];
  if (instructions !== undefined && instructions !== null) {
    messages.push({ at: 'instructions', message: { role: 'system', content: instructions } });
  }
  if (typeof input === 'string') messages.push({ at: 'input', message: { role: 'user', content: input } });
  else if (Array.isArray(input)) {
    for (const [i, item] of input.entries()) messages.push(...messageOf(item, `input[${i}]`, fields));
  } else throw fieldError('input', `input must be a string or a list of items; got ${shown(input)}.`);
  return messages;
}

function messageOf(item: unknown, at: string, fields: FieldCheck): Message[] {
  const type = isJsonObject(item) ? (item.type ?? 'message') : item;
  if (isJsonObject(item)) {
    switch (type) {
      case 'message': {
        const { type: _, id: _id, status: _status, phase: _phase, ...message } = item;
        return [{ at, message }];
      }
      case 'function_call': {
        const called = { name: item.name, arguments: item.arguments };
        return [{ at, message: { role: 'assistant', tool_calls: [{ id: item.call_id, function: called }] } }];
      }
      case 'function_call_output':
        return [{ at, message: { role: 'tool', tool_call_id: item.call_id, content: item.output } }];
      case 'reasoning':
        fields.warn(`${at} was ignored: the model does not read reasoning items`);
        return [];
    }
  }
  throw fieldError(
    at,
    `${at} must be a message, a function_call or a function_call_output; got ${shown(type)}.`,
    type === 'item_reference' ? 'unsupported' : 'invalid_value',
  );
}
