/** The rooms of src/ import only what the table in CONTRIBUTING.md allows, and the public face is the only way in. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { read, root } from './markdown.ts';

const rows = [...read('CONTRIBUTING.md').matchAll(/^\| `src\/(\w+)\/` +\|.*\| ([\w ,]+?) +\|$/gm)];
const allowed = new Map(
  rows.map(([, room = '', list = '']) => [room, list === 'nothing of ours' ? [] : list.split(', ')]),
);
const files = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && file.includes('/'),
);

describe('rooms', () => {
  it('are all in the table', () => {
    expect([...allowed.keys()].sort()).toEqual([...new Set(files.map(roomOf))].sort());
  });

  it.each(files)('%s imports only what its room may', (file) => {
    const room = roomOf(file);
    const imported = [...read(`src/${file}`).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)]
      .map(([, link = '']) => path.posix.join(path.posix.dirname(file), link))
      .filter((target) => target !== 'errors.ts')
      .map(roomOf);
    expect([room, ...(allowed.get(room) ?? [])]).toEqual(expect.arrayContaining(imported));
  });
});

function roomOf(file: string): string {
  return file.split('/')[0] ?? '';
}
