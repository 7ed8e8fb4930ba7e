/** One data file as rows, whatever its format: what it is stands in its first bytes, not in its name. */
import { open } from 'node:fs/promises';
import { CogVLM2Error } from '../../errors.ts';
import { openJson } from './json-source.ts';
import { openParquet } from './parquet-source.ts';
import type { RowSource } from './row-source.ts';
import { openTsv } from './tsv-source.ts';
import { openXlsx } from './xlsx-source.ts';

/** @throws CogVLM2Error `file_not_found`, `invalid_value` for what is no data file. */
export async function openSource(path: string): Promise<RowSource> {
  const head = await firstBytes(path);
  const mark = head.toString('latin1', 0, 8);
  if (mark.startsWith('PAR1')) return openParquet(path);
  if (mark.startsWith('PK\x03\x04')) return openXlsx(path);
  if (mark === '\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1') throw oldWorkbook(path);
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (text === '') throw new CogVLM2Error('invalid_value', `${path} is empty.`);
  if (text.startsWith('[')) return openJson(path, false);
  if (text.startsWith('{')) return openJson(path, true);
  if (/^[^\n\r]*\t/.test(text)) return openTsv(path);
  throw new CogVLM2Error(
    'invalid_value',
    `${path} is none of the files that are read here: TSV with names in its first line, xlsx, parquet, JSON, JSON lines.`,
  );
}

/** Excel's format before 2007, which also wraps those of today that ask for a password. */
function oldWorkbook(path: string): CogVLM2Error {
  return new CogVLM2Error(
    'invalid_value',
    `${path} is a workbook with a password, or an old .xls: save it as .xlsx without a password.`,
  );
}

/** The first 64 KiB. @throws CogVLM2Error `file_not_found`. */
export async function firstBytes(path: string): Promise<Buffer> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(65_536), 0, 65_536, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw new CogVLM2Error('file_not_found', `${path} cannot be read.`, { cause });
  }
}
