/** The table of limits in docs/security.md equals the limits of the code. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { serve } from '../../src/cli/commands/serve.ts';
import { flagsOf } from '../../src/cli/flags.ts';
import { SCHEMA_LIMITS } from '../../src/grammar/json-grammar.ts';
import { LONGEST_STRING } from '../../src/server/body/long-string.ts';
import {
  CONNECTION_LIMITS,
  DISCARD_LIMITS,
  HEADERS_TIMEOUT_MS,
  IMAGE_FETCH_LIMITS,
  PAGES_LIMITS,
  PARSE_LIMITS,
  REQUEST_LIMITS,
  UPLOAD_LIMITS,
  VIDEO_LIMITS,
} from '../../src/server/limits.ts';

const number = (value: number) => value.toLocaleString('en-US');
const seconds = (ms: number) => `${ms / 1_000} s`;

/** A row has the object, its limit, and the flag that changes it. */
function rows(): [string, string, string][] {
  const flags = new Map(flagsOf(serve.options).map((flag) => [flag.name, flag]));
  const byFlag = (what: string, name: string, unit = ''): [string, string, string] => {
    const { defaultValue } = flags.get(name)!;
    const value = defaultValue === undefined ? 'none' : `${number(Number(defaultValue))}${unit}`;
    return [what, value, `\`${name}\``];
  };
  const fixed = (what: string, value: string): [string, string, string] => [what, value, ''];
  return [
    byFlag('body', '--max-body-bytes', ' bytes'),
    byFlag('body without its images', '--max-json-bytes', ' bytes'),
    fixed('a string that is no image', `${number(LONGEST_STRING)} characters`),
    fixed('nesting of a body', `${number(REQUEST_LIMITS.depth)} levels`),
    fixed('values of a body', number(REQUEST_LIMITS.values)),
    fixed('fields of an object', number(REQUEST_LIMITS.fields)),
    fixed('unknown fields of a body', number(REQUEST_LIMITS.unknownFields)),
    fixed('messages', number(REQUEST_LIMITS.messages)),
    fixed('content parts', number(REQUEST_LIMITS.parts)),
    fixed('tool calls of the messages', number(REQUEST_LIMITS.toolCalls)),
    fixed('tools', number(REQUEST_LIMITS.tools)),
    fixed('token ids of `/detokenize`', number(REQUEST_LIMITS.tokens)),
    fixed('stop strings', number(REQUEST_LIMITS.stopStrings)),
    fixed(
      'a JSON schema, a tool or another field, as JSON',
      `${number(REQUEST_LIMITS.fieldCharacters)} characters`,
    ),
    fixed('schemas within a JSON schema', number(SCHEMA_LIMITS.schemas)),
    fixed(
      'values of `enum` in a JSON schema, counted each time that they are used',
      `${number(SCHEMA_LIMITS.enumValues)}, and ${number(SCHEMA_LIMITS.enumCharacters)} characters`,
    ),
    byFlag('pixels of an image', '--max-image-pixels'),
    fixed(
      'a video',
      `${REQUEST_LIMITS.frames} frames, ${seconds(VIDEO_LIMITS.timeoutMs)} for ffprobe and for ffmpeg`,
    ),
    fixed(
      'an image by its address',
      `${number(IMAGE_FETCH_LIMITS.maxBytes)} bytes, ${seconds(IMAGE_FETCH_LIMITS.timeoutMs)}, ${IMAGE_FETCH_LIMITS.maxRedirects} redirects, ${number(IMAGE_FETCH_LIMITS.maxCharacters)} characters of the address`,
    ),
    fixed(
      'a PDF whose pages are drawn (`/v1/pages`)',
      `${PAGES_LIMITS.pages} pages, one document at a time, ${seconds(PAGES_LIMITS.slowReaderMs)} between two pages, ${seconds(PAGES_LIMITS.idleMs)} in all while others wait`,
    ),
    byFlag('tokens of an answer', '--max-answer-tokens'),
    byFlag('answers at the same time', '--slots'),
    byFlag('requests that wait', '--max-queue'),
    byFlag('requests of one client', '--max-per-client'),
    byFlag('time without progress', '--time-limit-seconds', ' s'),
    fixed(
      'connections without a request',
      `${number(CONNECTION_LIMITS.idle)}; then the one that has had none for the longest time is closed`,
    ),
    fixed('requests of one connection without an answer', number(CONNECTION_LIMITS.pipelined)),
    fixed(
      'parsed as HTTP in one turn of the event loop',
      `${number(PARSE_LIMITS.pieceBytes)} bytes of one connection, ${PARSE_LIMITS.turnMs} ms of all connections and one piece`,
    ),
    fixed('time for the headers', seconds(HEADERS_TIMEOUT_MS)),
    fixed(
      'rate of an upload',
      `${number(UPLOAD_LIMITS.minBytesPerSecond)} bytes a second on average, after ${seconds(UPLOAD_LIMITS.graceMs)}`,
    ),
    fixed(
      'body of a refused request that is discarded',
      `${seconds(DISCARD_LIMITS.timeoutMs)}, and ${number(DISCARD_LIMITS.extraBytes)} bytes above the limit`,
    ),
  ];
}

it('docs/security.md has every limit with its value', () => {
  const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  const table = /<!-- limits -->\n(.*?)<!-- \/limits -->/s.exec(page)?.[1];
  const lines = [['what', 'limit', 'flag'], ['---', '---', '---'], ...rows()].map(
    (row) => `| ${row.join(' | ')} |`,
  );
  expect(table).toBe(`${lines.join('\n')}\n`);
});
