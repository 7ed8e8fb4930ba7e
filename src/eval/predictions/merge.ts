/** `cogvlm2 eval merge`: the predictions files of all shards of a run become one. */

import { CogVLM2Error } from '../../errors.ts';
import { AtomicFile } from '../../files/writing.ts';
import { differencesOf } from '../../run/resume.ts';
import { isAnswer, readPredictions } from './file.ts';
import type { Header } from './schema.ts';

export interface Merged {
  readonly answered: number;
  readonly failed: number;
  /** Missing parts, such as "2 of 4". */
  readonly missing: readonly string[];
}

/**
 * Writes the lines in the order of the data.
 * @throws CogVLM2Error `invalid_value` for parts of different runs, with the differences; `write_failed`.
 */
export async function mergePredictions(files: readonly string[], output: string): Promise<Merged> {
  const parts = [];
  for (const file of files) parts.push({ file, ...(await readPredictions(file)) });
  const [first] = parts;
  if (first === undefined)
    throw new CogVLM2Error('invalid_value', 'There is nothing to merge: name the parts.');
  const count = first.header.shard?.count ?? 1;
  for (const { file, header } of parts) {
    const differences = differencesOf(
      { ...first.header.settings, shards: count },
      { ...header.settings, shards: header.shard?.count ?? 1 },
    );
    if (differences.length > 0) {
      throw new CogVLM2Error(
        'invalid_value',
        `${first.file} and ${file} are not from the same run: ${differences.join('; ')}.`,
      );
    }
  }
  const given = new Set(parts.map(({ header }) => header.shard?.index ?? 1));
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !given.has(index));
  const lines = new Map<string, (typeof parts)[number]['lines'][number]>();
  for (const line of parts.flatMap(({ lines }) => lines)) {
    const earlier = lines.get(line.id);
    if (earlier === undefined || !isAnswer(earlier)) lines.set(line.id, line);
  }
  const ordered = [...lines.values()].sort((left, right) => left.run.row - right.run.row);
  write(output, { ...first.header, shard: null }, ordered);
  const answered = ordered.filter(isAnswer).length;
  return {
    answered,
    failed: ordered.length - answered,
    missing: missing.map((index) => `${index} of ${count}`),
  };
}

function write(output: string, header: Header, lines: readonly object[]): void {
  using file = new AtomicFile(output);
  for (const line of [header, ...lines]) file.write(Buffer.from(`${JSON.stringify(line)}\n`));
  file.commit();
}
