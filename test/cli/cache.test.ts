import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DiskImageCache } from '../../src/generate/disk-image-cache.ts';
import { cli } from './memory-terminal.ts';
import { scriptedLibrary } from './scripted-model.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-cache-command-'));
afterAll(() => rmSync(folder, { recursive: true }));
const env = { HOME: folder, XDG_CACHE_HOME: folder, LOCALAPPDATA: folder };
const { library } = scriptedLibrary();

describe('cache', () => {
  it('shows folder, number and size of the entries, and clears them', async () => {
    const { directory, entries } = JSON.parse((await cli(['cache', '--json'], library, { env })).out);
    expect(entries).toBe(0);
    const cache = DiskImageCache.open({ directory });
    if (typeof cache === 'string') throw new Error(cache);
    await cache.write('a'.repeat(64), new Uint16Array(1000));
    const shown = await cli(['cache'], library, { env });
    expect(shown).toMatchObject({ exitCode: 0, err: '' });
    expect(shown.out).toContain(directory);
    expect(shown.out).toMatch(/images +1\n/);
    expect((await cli(['cache', '--clear'], library, { env })).out).toBe('Removed 1 image, 2.0 kB.\n');
    expect((await cache.usage()).entries).toBe(0);
  });

  it('says why there is no cache', async () => {
    const none = { ...library, openImageCache: async () => 'This user has no home directory.' };
    expect(await cli(['cache'], none)).toMatchObject({ err: 'cogvlm2: This user has no home directory.\n' });
  });
});

describe('--no-image-cache', () => {
  it.each([
    [[], { limitBytes: 2e9 }],
    [['--image-cache-gb', '0.5'], { limitBytes: 5e8 }],
    [['--no-image-cache'], false],
  ])('%j', async (flags, imageCache) => {
    const { library, calls } = scriptedLibrary();
    await cli(['ask', '--text', 'Why?', ...flags], library);
    expect(calls.loads[0]?.imageCache).toEqual(imageCache);
  });
});
