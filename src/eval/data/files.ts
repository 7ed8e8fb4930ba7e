/** From the paths that a person gives to data files: a folder stands for the files in it that are of one kind. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { CogVLM2Error } from '../../errors.ts';
import { checkInputFile } from '../../files/input-file.ts';
import type { Benchmark } from '../benchmarks.ts';

/** @throws CogVLM2Error `file_not_found`; `invalid_value` where a folder has several kinds of files. */
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
    .filter((name) => name.split(path.sep).length <= 3 && !isAside(name))
    .sort();
  const kinds = new Set(names.map((name) => kindOf(benchmark, name)));
  if (names.length === 0) {
    throw new CogVLM2Error(
      'file_not_found',
      `${given} has no .tsv, .xlsx, .parquet, .json or .jsonl file in it.`,
    );
  }
  if (kinds.size > 1) {
    throw new CogVLM2Error(
      'invalid_value',
      `${given} has data of several kinds: ${[...kinds].slice(0, 8).join(', ')}. Give the file, or the files, that you mean.`,
    );
  }
  return names.map((name) => path.join(given, name));
}

/** Files beside the questions in the archives of ChartQA, DocVQA and MM-Vet. */
function isAside(name: string): boolean {
  return (
    /(?:^|[\\/])(?:annotations|ocr_results|tables|bard_set|dataset_infos?|\.)/i.test(name) ||
    /results?\.json$/i.test(name)
  );
}

/** Files that differ in the number of their part only, or in the half of ChartQA, are of one kind. */
function kindOf(benchmark: Benchmark, name: string): string {
  const parts = name.replace(/-\d+-of-\d+(?:-[0-9a-f]+)?/, '');
  return benchmark === 'chartqa' ? parts.replace(/_(?:human|augmented)\.json$/, '.json') : parts;
}
