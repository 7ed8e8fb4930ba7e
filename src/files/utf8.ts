/** Decodes text of other programs. Bytes that are not UTF-8 are refused; otherwise they would become U+FFFD in questions and scores. */
import { isUtf8 } from 'node:buffer';
import { CogVLM2Error } from '../errors.ts';

/** @param place begins the sentence, as in "Line 3 of a.jsonl" @throws CogVLM2Error `invalid_value` */
export function textOf(bytes: Buffer, place: string): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new CogVLM2Error(
    'invalid_value',
    `${place} is not UTF-8: convert the file, as \`iconv -f GBK -t UTF-8\` does from GBK.`,
  );
}
