/** Damaged parquet files end with an error, and do not stall the process. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openParquet } from '../../../src/eval/data/parquet.ts';

const good = new URL('../../fixtures/eval/data/chartqa.parquet', import.meta.url);

it('a schema with wrong numbers of children is read to an end', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'parquet-'));
  const file = path.join(folder, 'changed.parquet');
  // Found by the fuzzer: with these bytes the search for geographic columns did not end.
  const bytes = readFileSync(good);
  for (const [at, byte] of [
    [2480, 0o3],
    [3019, 0o200],
    [3845, 0o2],
    [4868, 0o301],
  ] as const)
    bytes[at] = byte;
  writeFileSync(file, bytes);
  try {
    await using source = await openParquet(file);
    const reading = (async () => {
      for await (const row of source.scan()) expect(row).toBeTypeOf('object');
    })();
    await reading.catch((error: unknown) => expect(error).toMatchObject({ code: 'invalid_value' }));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
