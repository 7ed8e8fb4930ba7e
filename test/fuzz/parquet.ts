/** Mutations of a parquet file: its bytes, mostly those of its footer. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Format } from './formats.ts';
import { mutateBytes } from './mutate.ts';

const good = readFileSync(fileURLToPath(new URL('../fixtures/eval/data/chartqa.parquet', import.meta.url)));

export function parquetFormat(folder: string): Format {
  const file = path.join(folder, 'changed.parquet');
  // The length of the footer is before the last four bytes.
  const footer = good.length - 8 - good.readUInt32LE(good.length - 8);
  return {
    kind: 'rows',
    mutate(random) {
      const from = random.chance(0.6) ? footer : 4;
      writeFileSync(
        file,
        mutateBytes(random, good, from, random.chance(0.8) ? good.length - 4 : good.length),
      );
      return { path: file, change: from === footer ? 'the footer' : 'anywhere' };
    },
  };
}
