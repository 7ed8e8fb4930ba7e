/** Reads the format of the answer from the fields of OpenAI, llama-server, vLLM, SGLang or Ollama. */
import type { AnswerFormat } from '../../index.ts';
import { ApiError } from '../api-error.ts';
import { JsonScanner } from '../body/json-scanner.ts';
import { REQUEST_LIMITS } from '../limits.ts';
import { type FieldCheck, fieldError, isJsonObject, type JsonObject, shown } from './fields.ts';

/** Fields of a request for formats. */
export const FORMAT_FIELDS = [
  'response_format',
  'structured_outputs',
  'guided_json',
  'guided_choice',
  'guided_regex',
  'json_schema',
  'format',
  'regex',
] as const;

/** @throws ApiError invalid_value, unsupported */
export function readAnswerFormat(body: JsonObject, fields: FieldCheck): AnswerFormat | undefined {
  const found = FORMAT_FIELDS.flatMap((name) => {
    const value = body[name];
    const format = value === undefined || value === null ? undefined : formatIn(name, value, fields);
    return format === undefined ? [] : [{ name, format }];
  });
  const [first, ...others] = found;
  const other = others.find(({ format }) => JSON.stringify(format) !== JSON.stringify(first?.format));
  if (first && other) {
    throw fieldError(
      other.name,
      `${first.name} and ${other.name} ask for different formats: send one of them.`,
    );
  }
  return first?.format;
}

function formatIn(
  name: (typeof FORMAT_FIELDS)[number],
  value: unknown,
  fields: FieldCheck,
): AnswerFormat | undefined {
  switch (name) {
    case 'response_format':
      return responseFormat(value, fields);
    case 'structured_outputs':
      return structuredOutputs(value, fields);
    case 'guided_json':
    case 'json_schema':
      return jsonSchema(name, value);
    case 'format':
      if (value === '') return undefined;
      return value === 'json' ? { type: 'json_object' } : jsonSchema(name, value);
    case 'guided_choice':
      return choice(name, value);
    case 'guided_regex':
    case 'regex':
      return regex(name, value);
  }
}

/** @param at the name of the field for errors: the Responses API has the same object in `text.format` */
export function responseFormat(
  value: unknown,
  fields: FieldCheck,
  at = 'response_format',
): AnswerFormat | undefined {
  const type = isJsonObject(value) ? value.type : undefined;
  if (!isJsonObject(value) || typeof type !== 'string') {
    throw fieldError(
      at,
      `${at} must be {"type":"text"}, {"type":"json_object"} or {"type":"json_schema","json_schema":{"name":"...","schema":{...}}}; got ${shown(value)}.`,
    );
  }
  switch (type) {
    case 'text':
      fields.check(value, at, ['type']);
      return undefined;
    case 'json_object':
      fields.check(value, at, ['type', 'schema']);
      return value.schema === undefined ? { type: 'json_object' } : jsonSchema(`${at}.schema`, value.schema);
    case 'json_schema': {
      const described = ['name', 'description', 'strict', 'schema'];
      // The Responses API and llama-server have these fields beside `type`.
      if (value.json_schema === undefined && value.schema !== undefined) {
        fields.check(value, at, ['type', ...described]);
        return jsonSchema(`${at}.schema`, value.schema);
      }
      const inner = `${at}.json_schema`;
      if (!isJsonObject(value.json_schema)) {
        throw fieldError(
          inner,
          `${inner} must be {"name":"...","schema":{...}}; got ${shown(value.json_schema)}.`,
        );
      }
      fields.check(value, at, ['type', 'json_schema']);
      fields.check(value.json_schema, inner, described);
      return jsonSchema(`${inner}.schema`, value.json_schema.schema);
    }
    default:
      throw fieldError(
        `${at}.type`,
        `${at}.type must be text, json_object or json_schema; got ${shown(type)}. For other formats use guided_choice or guided_regex.`,
      );
  }
}

/** The object of vLLM. It must have exactly one constraint. */
function structuredOutputs(value: unknown, fields: FieldCheck): AnswerFormat | undefined {
  const at = 'structured_outputs';
  if (!isJsonObject(value)) {
    throw fieldError(at, `${at} must be an object such as {"json":{...}}; got ${shown(value)}.`);
  }
  fields.check(value, at, ['json', 'choice', 'regex', 'json_object']);
  const formats: AnswerFormat[] = [];
  if (value.json != null) formats.push(jsonSchema(`${at}.json`, value.json));
  if (value.choice != null) formats.push(choice(`${at}.choice`, value.choice));
  if (value.regex != null) formats.push(regex(`${at}.regex`, value.regex));
  if (value.json_object === true) formats.push({ type: 'json_object' });
  if (formats.length > 1) throw fieldError(at, `${at} asks for ${formats.length} formats: send one of them.`);
  return formats[0];
}

/** A schema as an object, or as a string with JSON, like in vLLM and SGLang. @throws ApiError */
function jsonSchema(at: string, value: unknown): AnswerFormat {
  const schema = typeof value === 'string' ? parsed(at, value) : value;
  if (isJsonObject(schema)) return { type: 'json_schema', schema };
  throw fieldError(at, `${at} must be a JSON Schema as an object; got ${shown(value)}.`);
}

/** JSON in a string has the limits of a body, because the scanner of the body does not check it. */
function parsed(at: string, text: string): unknown {
  const scanner = new JsonScanner(REQUEST_LIMITS.fieldCharacters * 4);
  try {
    scanner.push(Buffer.from(text));
    return scanner.parse();
  } catch (error) {
    if (error instanceof ApiError) throw fieldError(at, error.message.replace(/^The body/, at));
    return undefined;
  }
}

function choice(at: string, value: unknown): AnswerFormat {
  const isText = (one: unknown): one is string => typeof one === 'string' && one !== '';
  if (Array.isArray(value) && value.length > 0 && value.every(isText))
    return { type: 'choice', choices: value };
  throw fieldError(at, `${at} must be a list of strings, such as ["yes","no"]; got ${shown(value)}.`);
}

function regex(at: string, value: unknown): AnswerFormat {
  if (typeof value === 'string' && value !== '') return { type: 'regex', pattern: value };
  throw fieldError(at, `${at} must be a regular expression as a string; got ${shown(value)}.`);
}
