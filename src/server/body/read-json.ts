/** Reads the JSON body of a request. Its size is limited while it arrives, and small steps do not block the event loop. */
import { setImmediate } from 'node:timers/promises';
import { type ApiCode, ApiError } from '../api-error.ts';
import { REQUEST_LIMITS } from '../limits.ts';
import { bodyChunks, type UnreadRequest } from './chunks.ts';
import { JsonScanner } from './json-scanner.ts';
import { LongString } from './long-string.ts';

export interface BodyLimits {
  /** Maximum size of a body, including images. */
  maxBytes: number;
  /** Maximum size of a body without images. */
  maxJsonBytes: number;
}

/** Bytes that are scanned in one step, and the time after which other requests continue. */
const STEP_BYTES = 16_384;
const TURN_MS = 10;

/**
 * @param onBytes is called with the number of bytes that have arrived
 * @param signal ends the reading, with its reason as the error
 * @throws ApiError unsupported_encoding, request_too_large, invalid_json, invalid_value, cancelled (the client disconnected)
 */
export async function readJson(
  request: UnreadRequest,
  { maxBytes, maxJsonBytes }: BodyLimits,
  signal: AbortSignal,
  onBytes: (size: number) => void = () => {},
): Promise<unknown> {
  const scanner = new JsonScanner(maxJsonBytes);
  let size = 0;
  let turnStartedAt = performance.now();
  for await (const chunk of bodyChunks(request, maxBytes, signal)) {
    size += chunk.byteLength;
    onBytes(size);
    for (let from = 0; from < chunk.byteLength; from += STEP_BYTES) {
      scanner.push(chunk.subarray(from, from + STEP_BYTES));
      if (performance.now() - turnStartedAt < TURN_MS) continue;
      await setImmediate();
      turnStartedAt = performance.now();
    }
  }
  let value: unknown;
  try {
    value = scanner.parse();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('invalid_json', `The ${size} bytes of the body are not JSON in UTF-8.`);
  }
  checkFields(value);
  return value;
}

// Limits of the fields of a body, for every endpoint. They are checked before anything is built from the body.

/** Fields with their own limit: lists of messages, and text, which the context limits. */
const UNBOUNDED = new Set([
  'messages',
  'input',
  'instructions',
  'prompt',
  'content',
  'tokens',
  'images',
  'tools',
  'functions',
]);
/** Fields with a JSON schema. */
const SCHEMAS = new Set([
  'response_format',
  'format',
  'guided_json',
  'json_schema',
  'structured_outputs',
  'text',
]);

/** @throws ApiError invalid_value, invalid_json_schema: the field, its size and the limit */
export function checkFields(body: unknown): void {
  if (!isObject(body)) return;
  for (const name of ['messages', 'input']) checkMessages(name, body[name]);
  for (const name of ['tools', 'functions']) checkTools(name, body[name]);
  const { stop, tokens } = body;
  if (Array.isArray(tokens)) checkCount('tokens', tokens.length, REQUEST_LIMITS.tokens, 'token ids');
  if (Array.isArray(stop)) checkCount('stop', stop.length, REQUEST_LIMITS.stopStrings, 'strings');
  for (const [name, value] of Object.entries(body)) {
    if (!UNBOUNDED.has(name))
      checkSize(name, value, SCHEMAS.has(name) ? 'invalid_json_schema' : 'invalid_value');
  }
}

function checkMessages(name: string, messages: unknown): void {
  if (!Array.isArray(messages)) return;
  checkCount(name, messages.length, REQUEST_LIMITS.messages, 'messages');
  let parts = 0;
  let calls = 0;
  for (const message of messages) {
    const { content, tool_calls } = isObject(message) ? message : {};
    if (Array.isArray(content)) parts += content.length;
    if (Array.isArray(tool_calls)) calls += tool_calls.length;
  }
  checkCount(name, parts, REQUEST_LIMITS.parts, 'parts of content');
  checkCount(name, calls, REQUEST_LIMITS.toolCalls, 'tool calls');
}

function checkTools(name: string, tools: unknown): void {
  if (!Array.isArray(tools)) {
    checkSize(name, tools, 'invalid_value');
    return;
  }
  checkCount(name, tools.length, REQUEST_LIMITS.tools, 'tools');
  for (const [i, tool] of tools.entries()) checkSize(`${name}[${i}]`, tool, 'invalid_json_schema');
}

function checkCount(param: string, count: number, limit: number, what: string): void {
  if (count <= limit) return;
  throw new ApiError('invalid_value', `${param} has ${count} ${what}; the limit is ${limit}.`, { param });
}

function checkSize(param: string, value: unknown, code: ApiCode): void {
  const limit = REQUEST_LIMITS.fieldCharacters;
  if (sizeWithin(value, limit) >= 0) return;
  throw new ApiError(
    code,
    `${shownName(param)} has more than ${limit} characters as JSON; that is the limit.`,
    {
      param: shownName(param),
    },
  );
}

/**
 * The rest of `budget` characters after the JSON of a value; negative if it does not fit. It counts at least one character for each
 * value, and never builds the text.
 */
function sizeWithin(value: unknown, budget: number): number {
  if (typeof value === 'string' || value instanceof LongString) return budget - value.length - 2;
  if (typeof value !== 'object' || value === null) return budget - String(value).length;
  let left = budget - 2;
  for (const key of Object.keys(value)) {
    if (left < 0) return left;
    left = sizeWithin(Reflect.get(value, key), left - (Array.isArray(value) ? 1 : key.length + 4));
  }
  return left;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A name from a client, shortened. */
function shownName(name: string): string {
  return name.length > 60 ? `${name.slice(0, 57)}...` : name;
}
