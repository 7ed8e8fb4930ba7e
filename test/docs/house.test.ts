/** The rooms of src/ import only what the table in CONTRIBUTING.md allows. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { read, root } from './markdown.ts';

const rows = [...read('CONTRIBUTING.md').matchAll(/^\| `src\/(\w+)\/` +\|.*\| ([\w ,]+?) +\|$/gm)];
const allowed = new Map(
  rows.map(([, room = '', list = '']) => [room, list === 'nothing of ours' ? [] : list.split(', ')]),
);
const files = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const inRooms = files.filter((file) => file.includes('/'));
const shared = files.filter((file) => !file.includes('/') && file !== 'index.ts');

describe('rooms', () => {
  it('are all in the table', () => {
    expect([...allowed.keys()]).toEqual(expect.arrayContaining(inRooms.map(roomOf)));
  });

  it.each(inRooms)('%s imports only what its room may', (file) => {
    const room = roomOf(file);
    expect([room, ...(allowed.get(room) ?? [])]).toEqual(expect.arrayContaining(roomsImportedBy(file)));
  });

  it.each(shared)('%s, which is for every room, imports none', (file) => {
    expect(roomsImportedBy(file)).toEqual([]);
  });
});

function roomOf(file: string): string {
  return file.split('/')[0] ?? '';
}

function roomsImportedBy(file: string): string[] {
  return [...read(`src/${file}`).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)]
    .map(([, link = '']) => path.posix.join(path.posix.dirname(file), link))
    .filter((target) => target.includes('/'))
    .map(roomOf);
}
