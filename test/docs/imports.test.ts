/** The folders of src/ import only the folders that the table in CONTRIBUTING.md allows. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { read, root } from './markdown.ts';

const rows = [...read('CONTRIBUTING.md').matchAll(/^\| `src\/(\w+)\/` +\|.*\| ([\w ,]+?) +\|$/gm)];
const allowed = new Map(
  rows.map(([, folder = '', list = '']) => [folder, list === 'nothing of ours' ? [] : list.split(', ')]),
);
const files = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const inFolders = files.filter((file) => file.includes('/'));
const shared = files.filter((file) => !file.includes('/') && file !== 'index.ts');

describe('folders', () => {
  it('are all in the table', () => {
    expect([...allowed.keys()]).toEqual(expect.arrayContaining(inFolders.map(folderOf)));
  });

  it.each(inFolders)('%s imports only folders that are allowed', (file) => {
    const folder = folderOf(file);
    expect([folder, ...(allowed.get(folder) ?? [])]).toEqual(expect.arrayContaining(foldersImportedBy(file)));
  });

  it.each(shared)('%s, which every folder may import, imports no folder', (file) => {
    expect(foldersImportedBy(file)).toEqual([]);
  });
});

function folderOf(file: string): string {
  return file.split('/')[0] ?? '';
}

function foldersImportedBy(file: string): string[] {
  return [...read(`src/${file}`).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)]
    .map(([, link = '']) => path.posix.join(path.posix.dirname(file), link))
    .filter((target) => target.includes('/'))
    .map(folderOf);
}
