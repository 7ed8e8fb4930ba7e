/** A clone without Git LFS has pointers instead of large files. The error says that a file is a pointer. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 22360832\n`;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'lfs-'));
  cpSync('test/fixtures/goldens/small', folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each(['model-00002-of-00002.safetensors', 'config.json', 'tokenizer.json'])('%s', (name) => {
  writeFileSync(path.join(folder, name), pointer);
  expect(() => openCheckpoint(folder)).toThrow(
    new RegExp(`${name} is a Git LFS pointer to a file of 22,360,832 bytes: run \`git lfs pull\``),
  );
});

it('a GGUF file', () => {
  const file = path.join(folder, 'model.gguf');
  writeFileSync(file, pointer);
  expect(() => openCheckpoint(file)).toThrow(
    /model\.gguf is a Git LFS pointer .* or fetch the model with `cogvlm2 pull`/,
  );
});

it('a byte order mark at the start of config.json is ignored', () => {
  const text = openCheckpoint(folder).texts['config.json'];
  writeFileSync(path.join(folder, 'config.json'), `\ufeff${text}`);
  expect(openCheckpoint(folder).texts['config.json']).toBe(text);
});
