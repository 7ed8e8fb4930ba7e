/** Data and predictions that are pipes or Git LFS pointers are refused by name; a byte order mark is accepted. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dataFiles } from '../../../src/eval/data/files.ts';
import { readRows } from '../../../src/eval/predictions/file.ts';
import { compareResults, readResults } from '../../../src/eval/report/measured.ts';

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;
let folder: string;
const at = (name: string) => path.join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'inputs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each(['a.tsv', 'a.parquet', 'a.json', 'a.xlsx'])(
  'a Git LFS pointer instead of %s is refused',
  async (name) => {
    writeFileSync(at(name), pointer);
    const sentence = new RegExp(`${name} is a Git LFS pointer to a file of 12,345 bytes`);
    await expect(dataFiles('docvqa', [at(name)])).rejects.toThrow(sentence);
    await expect(dataFiles('docvqa', [folder])).rejects.toThrow(sentence);
    await expect(readRows(at(name))).rejects.toThrow(sentence);
  },
);

it('a Git LFS pointer instead of results is refused', async () => {
  writeFileSync(at('a.results.json'), pointer);
  await expect(compareResults([at('a.results.json')])).rejects.toThrow(/is a Git LFS pointer/);
  expect(() => readResults(at('a.results.json'))).toThrow(/is a Git LFS pointer/);
});

it.skipIf(process.platform === 'win32')('a pipe is refused', async () => {
  execFileSync('mkfifo', [at('a.jsonl')]);
  await expect(dataFiles('docvqa', [at('a.jsonl')])).rejects.toThrow(/it is a pipe or a device/);
  await expect(readRows(at('a.jsonl'))).rejects.toThrow(/it is a pipe or a device/);
});

it('a byte order mark before the rows is accepted', async () => {
  const rows = '{"questionId": 1, "prediction": "itc"}\r\n{"questionId": 2, "prediction": null}\r\n';
  writeFileSync(at('a.jsonl'), `\ufeff${rows}`);
  const { rows: found } = await readRows(at('a.jsonl'));
  expect(found).toHaveLength(2);
  expect(readFileSync(at('a.jsonl'), 'utf8')).toContain('\ufeff');
});
