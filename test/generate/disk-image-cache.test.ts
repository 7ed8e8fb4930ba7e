import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { DiskImageCache } from '../../src/generate/disk-image-cache.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-disk-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));

const keyOf = (name: string) => createHash('sha256').update(name).digest('hex');
const numbers = (seed: number, count = 500) =>
  Uint16Array.from({ length: count }, (_, i) => (i * 31 + seed) & 0x7bff);
const entryBytes = 16 + 32 + 2 * 500;
let directories = 0;

function newCache(limitBytes = 1e6) {
  const directory = path.join(folder, `${++directories}`, 'cogvlm2', 'images');
  const cache = DiskImageCache.open({ directory, limitBytes });
  if (typeof cache === 'string') throw new Error(cache);
  return { cache, directory, file: (name: string) => path.join(directory, `${keyOf(name)}.tokens`) };
}

/** Sets the time of the last use to this number of seconds ago. */
const age = (file: string, seconds: number) =>
  utimesSync(file, new Date(), new Date(Date.now() - seconds * 1000));

test('a written entry is found, also by another cache, and other keys are not found', async () => {
  const { cache, directory } = newCache();
  expect(await cache.read(keyOf('a'), 500)).toBeNull();
  await cache.write(keyOf('a'), numbers(1));
  expect(await cache.read(keyOf('a'), 500)).toEqual(numbers(1));
  const other = DiskImageCache.open({ directory });
  expect(typeof other !== 'string' && (await other.read(keyOf('a'), 500))).toEqual(numbers(1));
  expect(await cache.read(keyOf('b'), 500)).toBeNull();
  expect(await cache.usage()).toEqual({ directory, entries: 1, sizeBytes: entryBytes, limitBytes: 1e6 });
});

describe.skipIf(process.platform === 'win32')('the directory is private', () => {
  test('when it is made', async () => {
    const { cache, directory, file } = newCache();
    await cache.write(keyOf('a'), numbers(1));
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(file('a')).mode & 0o777).toBe(0o600);
  });

  test('also if it was not private before', () => {
    const { directory } = newCache();
    chmodSync(directory, 0o755);
    DiskImageCache.open({ directory });
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });
});

describe('a damaged entry is ignored and removed', () => {
  test.each<[string, (file: string) => void]>([
    ['one bit', (file) => flip(file, entryBytes - 7)],
    ['the checksum', (file) => flip(file, 20)],
    ['the first bytes', (file) => flip(file, 0)],
    ['cut short', (file) => truncateSync(file, 100)],
    ['empty', (file) => truncateSync(file, 0)],
    ['of another size', (file) => writeFileSync(file, Buffer.alloc(entryBytes + 2))],
  ])('%s', async (_, damage) => {
    const { cache, file } = newCache();
    await cache.write(keyOf('a'), numbers(1));
    damage(file('a'));
    expect(await cache.read(keyOf('a'), 500)).toBeNull();
    expect(existsSync(file('a'))).toBe(false);
    await cache.write(keyOf('a'), numbers(1));
    expect(await cache.read(keyOf('a'), 500)).toEqual(numbers(1));
  });

  function flip(file: string, at: number) {
    const bytes = readFileSync(file);
    bytes[at]! ^= 4;
    writeFileSync(file, bytes);
  }
});

describe('beyond its limit', () => {
  test('the least recently used entry is evicted', async () => {
    const { cache, file } = newCache(3 * entryBytes);
    for (const [i, name] of ['a', 'b', 'c'].entries()) {
      await cache.write(keyOf(name), numbers(i));
      age(file(name), 100 - i);
    }
    await cache.read(keyOf('a'), 500);
    await cache.write(keyOf('d'), numbers(4));
    expect(await cache.read(keyOf('b'), 500)).toBeNull();
    for (const name of ['a', 'c', 'd']) expect(await cache.read(keyOf(name), 500)).not.toBeNull();
  });

  test('an entry that is larger than the limit is not written', async () => {
    const { cache } = newCache(entryBytes - 1);
    await cache.write(keyOf('a'), numbers(1));
    expect((await cache.usage()).entries).toBe(0);
  });
});

test('partial files of ended processes are removed after an hour; no other file is removed', async () => {
  const { cache, directory } = newCache();
  const draft = (name: string) => path.join(directory, `.${keyOf(name)}.123.abcdef`);
  writeFileSync(draft('old'), 'x');
  age(draft('old'), 2 * 60 * 60);
  writeFileSync(draft('new'), 'x');
  writeFileSync(path.join(directory, 'note.txt'), 'x');
  await cache.write(keyOf('a'), numbers(1));
  expect(readdirSync(directory).sort()).toEqual(
    [path.basename(draft('new')), 'note.txt', `${keyOf('a')}.tokens`].sort(),
  );
});

test('clear removes entries and partial files', async () => {
  const { cache, directory } = newCache();
  for (const name of ['a', 'b']) await cache.write(keyOf(name), numbers(1));
  expect(await cache.clear()).toEqual({ entries: 2, sizeBytes: 2 * entryBytes });
  expect(readdirSync(directory)).toEqual([]);
});

describe('without a usable directory', () => {
  test('a user without a home gets the name of a variable', () => {
    expect(DiskImageCache.open({ directory: null })).toContain('XDG_CACHE_HOME');
  });

  test('a file instead of the directory is reported', () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    expect(DiskImageCache.open({ directory: path.join(file, 'cogvlm2', 'images') })).toContain(
      'cannot be used',
    );
  });

  test('a directory that is deleted or read-only loses entries only', async () => {
    const { cache, directory } = newCache();
    rmSync(directory, { recursive: true });
    await cache.write(keyOf('a'), numbers(1));
    expect(await cache.read(keyOf('a'), 500)).toBeNull();
    mkdirSync(directory);
    await cache.write(keyOf('a'), numbers(1));
    expect(await cache.read(keyOf('a'), 500)).not.toBeNull();
  });
});

test('several processes write, read and evict at the same time', { timeout: 120_000 }, async () => {
  const { directory } = newCache();
  const worker = fileURLToPath(new URL('./disk-image-cache-process.ts', import.meta.url));
  const run = (seed: number) =>
    new Promise<string>((resolve) => {
      const child = spawn(process.execPath, ['--import', 'tsx', worker, directory, `${seed}`]);
      let output = '';
      child.stdout.on('data', (chunk) => {
        output += chunk;
      });
      child.stderr.on('data', (chunk) => {
        output += chunk;
      });
      child.on('close', (code) => resolve(`${output.trim()} ${code}`));
    });
  const results = await Promise.all([run(1), run(2), run(3)]);
  for (const result of results) expect(result).toMatch(/^right \d+ wrong 0 0$/);
  // Each process evicted entries down to the limit after its last write.
  const cache = DiskImageCache.open({ directory, limitBytes: 10 * entryBytes });
  if (typeof cache === 'string') throw new Error(cache);
  await cache.write(keyOf('last'), numbers(1));
  expect((await cache.usage()).sizeBytes).toBeLessThanOrEqual(10 * entryBytes);
  expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([]);
});
