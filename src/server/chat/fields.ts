/**
 * Fields of a request that no reader uses. A field is refused if the answer would be wrong without it. Otherwise a warning in the answer
 * names it. Only this file decides this.
 */
import { nearest } from '../../messages.ts';
import { ApiError } from '../api-error.ts';
import { LongString } from '../body/long-string.ts';
import { REQUEST_LIMITS } from '../limits.ts';

export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof LongString)
  );
}

/** A value for an error message: as JSON, shortened. */
export function shown(value: unknown): string {
  const text = (typeof value === 'bigint' ? String(value) : JSON.stringify(beginningOf(value))) ?? 'nothing';
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS - 3)}...` : text;
}

const SHOWN_CHARACTERS = 60;

/** At least the shown part of a value. Converting a megabyte to JSON would block other requests. */
function beginningOf(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.slice(0, SHOWN_CHARACTERS + 1);
  if (value instanceof LongString) return value.head(SHOWN_CHARACTERS + 1);
  if (typeof value !== 'object' || value === null || depth > SHOWN_CHARACTERS) return value;
  const next = (child: unknown) => beginningOf(child, depth + 1);
  if (Array.isArray(value)) return value.slice(0, SHOWN_CHARACTERS).map(next);
  const entries: [string, unknown][] = [];
  for (const key in value) {
    if (entries.length === SHOWN_CHARACTERS) break;
    entries.push([key.slice(0, SHOWN_CHARACTERS + 1), next(Reflect.get(value, key))]);
  }
  return Object.fromEntries(entries);
}

export function fieldError(
  param: string,
  message: string,
  code: 'invalid_value' | 'unsupported' = 'invalid_value',
) {
  return new ApiError(code, message, { param });
}

/** Fields that cannot change an answer: accounting, hints for caches and load balancers, and details of the output format. */
const WITHOUT_EFFECT = new Set([
  'user',
  'metadata',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'prompt_cache_options',
  'parallel_tool_calls',
  'max_tool_calls',
  'cache_control',
  'cache_prompt',
  'cache_salt',
  'id_slot',
  'keep_alive',
  'priority',
  'request_id',
  'session_id',
  'chat_id',
  'timings_per_token',
  'include_obfuscation',
  'continuous_usage_stats',
  'guided_decoding_backend',
  'parse_tool_calls',
  'reasoning_format',
  'skip_special_tokens',
  'spaces_between_special_tokens',
]);

const IMAGE_REMEDY =
  'Put an image into the content of a user message: {"type":"image_url","image_url":{"url":"data:image/png;base64,..."}}.';
const FORMAT_REMEDY =
  'Use response_format (text.format of /v1/responses) with a JSON schema, or guided_choice or guided_regex.';

/** A field with one of these words in its name would change the answer. */
const REFUSED_WORDS: readonly (readonly [words: readonly string[], remedy: string])[] = [
  [words('image images img picture pictures photo photos pixel attachment attachments'), IMAGE_REMEDY],
  [
    words('video videos'),
    'A video belongs in the content of a user message, for a video model: {"type":"video_url","video_url":{"url":"data:video/mp4;base64,..."}}.',
  ],
  [words('audio media file files document documents'), `The model reads text and one image. ${IMAGE_REMEDY}`],
  [
    words(
      'schema grammar ebnf gbnf guided structured structural regex json format constraint constraints choices',
    ),
    FORMAT_REMEDY,
  ],
  [
    words('tool tools function functions plugins mcp'),
    'Use tools with tool_choice "required" or a named function.',
  ],
  [words('stop eos'), 'Use stop with up to 16 strings.'],
];

/** The same for whole names. */
const REFUSED_NAMES: Partial<Record<string, string>> = {
  ...Object.fromEntries(
    words('prompt messages input inputs query question system instructions').map((name) => [
      name,
      'Put all text into messages (input of /v1/responses).',
    ]),
  ),
  ...Object.fromEntries(
    words('options parameters generation_config sampling_params').map((name) => [
      name,
      'Put its fields beside messages.',
    ]),
  ),
  ...Object.fromEntries(
    words('min_tokens min_new_tokens').map((name) => [name, 'max_tokens is the only limit of an answer.']),
  ),
  ...Object.fromEntries(
    words('logit_bias best_of use_beam_search num_beams echo suffix bad_words').map((name) => [name, '']),
  ),
  text: FORMAT_REMEDY,
  chat_template: 'template chooses between chat, vqa and base.',
  web_search_options: 'The model knows only the request.',
};

/** Exceptions: names with a word from above that do not change an answer. */
const HARMLESS = new Set(
  words('media_io_kwargs whitespace_pattern guided_whitespace_pattern include_stop_str_in_output'),
);

function words(list: string): string[] {
  return list.split(' ');
}

const MAX_WARNINGS = 20;

export class FieldCheck {
  readonly warnings: string[] = [];
  #unknown = 0;

  warn(message: string): void {
    if (!this.warnings.includes(message) && this.warnings.length < MAX_WARNINGS) this.warnings.push(message);
  }

  /**
   * @param at the path of the object in the request; '' for the request itself
   * @param known the fields that a reader uses
   * @throws ApiError unsupported; invalid_value for too many unknown fields
   */
  check(object: JsonObject, at: string, known: Iterable<string>): void {
    const used = new Set(known);
    for (const [name, value] of Object.entries(object)) {
      if (used.has(name) || WITHOUT_EFFECT.has(name) || asksNothing(value)) continue;
      const short = name.length > 60 ? `${name.slice(0, 57)}...` : name;
      const param = at === '' ? short : `${at}.${short}`;
      if (++this.#unknown > REQUEST_LIMITS.unknownFields) {
        const message = `The body has more than ${REQUEST_LIMITS.unknownFields} unknown fields; that is the limit. The last is ${param}.`;
        throw fieldError(param, message);
      }
      const remedy = remedyFor(short);
      if (remedy !== undefined) {
        throw fieldError(param, `${param} is not supported here. ${remedy}`.trimEnd(), 'unsupported');
      }
      // Comparing names takes time.
      if (this.warnings.length === MAX_WARNINGS) continue;
      const meant = nearest(short, used);
      this.warn(
        `${param} was ignored: ${meant === undefined ? 'it is not supported here' : `did you mean ${meant}?`}`,
      );
    }
  }
}

/** @returns undefined if an answer does not need the field */
function remedyFor(name: string): string | undefined {
  if (HARMLESS.has(name)) return undefined;
  const inName = name.split(/[^A-Za-z]+|(?=[A-Z])/).map((word) => word.toLowerCase());
  return (
    REFUSED_NAMES[name] ?? REFUSED_WORDS.find(([words]) => words.some((word) => inName.includes(word)))?.[1]
  );
}

/** Values with which clients disable a field. */
function asksNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
