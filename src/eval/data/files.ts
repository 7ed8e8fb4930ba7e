/** Finds data files in the given paths, and opens a data file of any format. */

import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { checkInputFile } from '../../files/input-file.ts';
import type { Benchmark } from '../benchmarks.ts';
import type { RowSource } from '../row.ts';
import { openJson } from './json.ts';
import { openParquet } from './parquet.ts';
import { openTsv } from './tsv.ts';
import { openXlsx } from './xlsx.ts';

/**
 * The given files, and the data files of the given folders.
 * @throws CogVLM2Error `file_not_found`; `invalid_value` for a folder with several kinds of data files.
 */
export async function dataFiles(benchmark: Benchmark, paths: readonly string[]): Promise<string[]> {
  const files = (await Promise.all(paths.map((given) => filesAt(benchmark, given)))).flat();
  files.forEach(checkInputFile);
  return files;
}

async function filesAt(benchmark: Benchmark, given: string): Promise<string[]> {
  const found = await stat(given).catch((cause) => {
    throw new CogVLM2Error('file_not_found', `There is no data at ${given}.`, { cause });
  });
  if (!found.isDirectory()) return [given];
  const names = (await readdir(given, { recursive: true }))
    .filter((name) => /\.(?:tsv|xlsx|parquet|json|jsonl)$/i.test(name))
    .filter((name) => name.split(path.sep).length <= 3 && !hasNoQuestions(name))
    .sort();
  const kinds = new Set(names.map((name) => kindOf(benchmark, name)));
  if (names.length === 0) {
    throw new CogVLM2Error('file_not_found', `${given} has no .tsv, .xlsx, .parquet, .json or .jsonl file.`);
  }
  if (kinds.size > 1) {
    throw new CogVLM2Error(
      'invalid_value',
      `${given} has data of several kinds: ${[...kinds].slice(0, 8).join(', ')}. Name the files to use.`,
    );
  }
  return names.map((name) => path.join(given, name));
}

/** Files without questions in the archives of ChartQA, DocVQA and MM-Vet. */
function hasNoQuestions(name: string): boolean {
  return (
    /(?:^|[\\/])(?:annotations|ocr_results|tables|bard_set|dataset_infos?|\.)/i.test(name) ||
    /results?\.json$/i.test(name)
  );
}

/** Files whose names differ only in the part number, or in the half of ChartQA, are of one kind. */
function kindOf(benchmark: Benchmark, name: string): string {
  const parts = name.replace(/-\d+-of-\d+(?:-[0-9a-f]+)?/, '');
  return benchmark === 'chartqa' ? parts.replace(/_(?:human|augmented)\.json$/, '.json') : parts;
}

/**
 * Opens a data file. Its first bytes tell the format, not its name.
 * @throws CogVLM2Error `file_not_found`; `invalid_value` for another kind of file.
 */
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
    `${path} is not a data file: TSV with names in its first line, xlsx, parquet, JSON or JSON lines.`,
  );
}

/** Excel's format before 2007, which is also the container of current workbooks with a password. */
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
