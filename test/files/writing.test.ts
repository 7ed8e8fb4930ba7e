import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { AtomicFile, abandonedPartials, writeFileWhole } from '../../src/files/writing.ts';
import { caught } from '../checkpoint/caught.ts';

const fault = vi.hoisted(() => ({ in: '', code: '', after: 0 }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const failing =
    (name: string, work: (...args: never[]) => unknown) =>
    (...args: never[]) => {
      if (fault.in === name && fault.after-- === 0)
        throw Object.assign(new Error(`${fault.code}: simulated, ${name}`), { code: fault.code });
      return work(...args);
    };
  return {
    ...real,
    writeSync: failing('write', real.writeSync),
    fsyncSync: failing('fsync', real.fsyncSync),
    renameSync: failing('rename', real.renameSync),
  };
});

const folder = fs.mkdtempSync(path.join(tmpdir(), 'cogvlm2-atomic-'));
const target = path.join(folder, 'out.bin');

afterEach(() => {
  fault.in = '';
  for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name), { recursive: true });
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

function write(...parts: string[]): void {
  using file = new AtomicFile(target);
  for (const part of parts) file.write(Buffer.from(part));
  file.commit();
}

test('a file appears under its name only when it is complete', () => {
  using file = new AtomicFile(target);
  file.write(Buffer.from('one '));
  expect(fs.existsSync(target)).toBe(false);
  file.write(Buffer.from('two'));
  file.commit();
  expect(fs.readdirSync(folder)).toEqual(['out.bin']);
  expect(fs.readFileSync(target, 'utf8')).toBe('one two');
});

test('a symbolic link is kept, and its target is replaced', () => {
  const real = path.join(folder, 'real.bin');
  fs.writeFileSync(real, 'old');
  fs.symlinkSync('real.bin', target);
  write('new');
  expect([fs.readlinkSync(target), fs.readFileSync(real, 'utf8')]).toEqual(['real.bin', 'new']);
  fs.rmSync(real);
  write('again');
  expect([fs.readlinkSync(target), fs.readFileSync(real, 'utf8')]).toEqual(['real.bin', 'again']);
  fs.symlinkSync('circle', path.join(folder, 'circle'));
  expect(caught(() => new AtomicFile(path.join(folder, 'circle'))).message).toContain('form a circle');
});

test('partial files of killed processes are deleted, but not those of running ones', () => {
  const abandoned = `${target}.999999999-0a1b2c.partial`;
  const ofAnother = path.join(folder, 'other.bin.999999999-0a1b2c.partial');
  for (const file of [abandoned, `${target}.123.partial`, ofAnother]) fs.writeFileSync(file, 'x');
  using writing = new AtomicFile(target);
  const drafts = fs.readdirSync(folder);
  write('whole');
  expect(fs.existsSync(ofAnother)).toBe(true);
  expect(abandonedPartials(folder)).toEqual([ofAnother]);
  expect(drafts).toHaveLength(2);
  writing.commit();
  expect(fs.readdirSync(folder).sort()).toEqual(['other.bin.999999999-0a1b2c.partial', 'out.bin']);
});

test('an existing file is replaced atomically, or kept', () => {
  fs.writeFileSync(target, 'old');
  {
    using file = new AtomicFile(target);
    file.write(Buffer.from('unfinished'));
  }
  expect(fs.readdirSync(folder)).toEqual(['out.bin']);
  expect(fs.readFileSync(target, 'utf8')).toBe('old');
  write('new');
  expect(fs.readFileSync(target, 'utf8')).toBe('new');
});

test.each([
  ['write', 'ENOSPC', 0, 'no space is left on the disk'],
  ['write', 'ENOSPC', 1, 'no space is left on the disk'],
  ['fsync', 'ENOSPC', 0, 'no space is left on the disk'],
  ['write', 'EIO', 0, 'EIO'],
  ['rename', 'EACCES', 0, 'permission denied'],
])('%s that fails with %s after %i calls leaves no file', (where, code, after, why) => {
  Object.assign(fault, { in: where, code, after });
  const error = caught(() => write('one', 'two'));
  expect(error.code).toBe('write_failed');
  expect(error.message).toBe(`${target} cannot be written: ${why}.`);
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('a missing folder is an error', () => {
  const error = caught(() => new AtomicFile(path.join(folder, 'none', 'out.bin')));
  expect(error.code).toBe('write_failed');
  expect(error.message).toContain(path.join(folder, 'none', 'out.bin'));
});

test('a text file is complete, and the error for a missing folder is a sentence', () => {
  writeFileWhole(target, 'new');
  expect(fs.readFileSync(target, 'utf8')).toBe('new');
  const error = caught(() => writeFileWhole(path.join(folder, 'none', 'a.json'), 'x'));
  expect(error.message).toMatch(/there is no such folder\.$/);
});

test.skipIf(process.platform !== 'linux')('a device gets the bytes, and is not replaced', () => {
  expect(caught(() => writeFileWhole('/dev/full', 'x')).message).toBe(
    '/dev/full cannot be written: no space is left on the disk.',
  );
  expect(fs.statSync('/dev/full').isCharacterDevice()).toBe(true);
});

test('a committed file accepts no more bytes', () => {
  using file = new AtomicFile(target);
  file.commit();
  expect(caught(() => file.write(Buffer.from('late'))).code).toBe('disposed');
});
