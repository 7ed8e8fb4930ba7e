/** JSON that other programs wrote: with a byte order mark, with CRLF, with numbers that a double cannot hold. */
import { CogVLM2Error } from '../errors.ts';
import { readTextFile } from './input-file.ts';

/**
 * @param place begins the sentence, as in "Line 3 of a.jsonl"
 * @throws CogVLM2Error `invalid_value` with the reason of the parser
 */
export function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CogVLM2Error('invalid_value', `${place} is not JSON (${why}).`, { cause });
  }
}

/** @throws CogVLM2Error `file_not_found`, `invalid_value` */
export function readJsonFile(file: string): unknown {
  return parseJson(readTextFile(file), file);
}

/** Long strings are matched in one step: a loop over single characters would exhaust the engine's stack. */
const token = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|[{}[\]]|-?[0-9][0-9.eE+-]*/g;

/**
 * The text of a number field of an object, with all its digits; undefined where the field is no number.
 * @param json an object that `JSON.parse` accepts
 */
export function numberText(json: string, field: string): string | undefined {
  let depth = 0;
  let before = '';
  let found: string | undefined;
  for (const [text] of json.matchAll(token)) {
    if (text === '{' || text === '[') depth++;
    else if (text === '}' || text === ']') depth--;
    // In an object, the token before a number is its key. As in JSON.parse, the last field of a name counts.
    else if (depth === 1 && !text.startsWith('"') && JSON.parse(before) === field) found = text;
    before = text;
  }
  return found;
}
