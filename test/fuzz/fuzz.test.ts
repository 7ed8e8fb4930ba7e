/**
 * Runs every fuzzer for a few seconds. test/fuzz/run.ts runs them longer. COGVLM2_FUZZ_SEED repeats a failure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FORMATS, type FormatName } from './formats.ts';
import { fuzz } from './fuzz.ts';

const seed = Number(process.env.COGVLM2_FUZZ_SEED ?? Date.now() % 2 ** 31);
const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

it.each(Object.keys(FORMATS) as FormatName[])(
  `%s with the seed ${seed}: no crash, no hang, no unexpected error`,
  { timeout: 180_000 },
  async (format) => {
    const { findings, mutations } = await fuzz(format, { folder, seed, mutations: 60, seconds: 20 });
    expect(findings).toEqual([]);
    expect(mutations).toBeGreaterThan(0);
  },
);
