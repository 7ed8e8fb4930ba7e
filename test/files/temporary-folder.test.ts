import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { abandonedFolders, temporaryFolder } from '../../src/files/temporary-folder.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'cogvlm2-temporary-test-'));
afterAll(() => rmSync(root, { recursive: true }));
let place: string;
beforeEach(() => {
  place = mkdtempSync(path.join(root, 'tmp-'));
  vi.stubEnv('TMPDIR', place);
  vi.stubEnv('TEMP', place);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

it('a folder is removed when it is disposed, with its files', async () => {
  {
    await using folder = await temporaryFolder('video');
    writeFileSync(path.join(folder.path, 'video'), 'x');
    expect(readdirSync(place)).toEqual([path.basename(folder.path)]);
  }
  expect(readdirSync(place)).toEqual([]);
});

it('a folder of a running process stays; after SIGKILL it is listed, and the next process removes it', async () => {
  const module = new URL('../../src/files/temporary-folder.ts', import.meta.url).href;
  const program = `import { writeFileSync } from 'node:fs';
    const { temporaryFolder } = await import(${JSON.stringify(module)});
    const folder = await temporaryFolder('video');
    writeFileSync(folder.path + '/video', 'x');
    process.stdout.write(folder.path);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const left = await new Promise<string>((resolve) =>
    child.stdout.once('data', (name) => resolve(`${name}`)),
  );
  {
    await using _ = await temporaryFolder('video');
    expect(await abandonedFolders()).toEqual([]);
    expect(existsSync(path.join(left, 'video'))).toBe(true);
  }
  const exited = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGKILL');
  await exited;
  expect(await abandonedFolders()).toEqual([left]);
  await using own = await temporaryFolder('kernels');
  // tsx makes a folder, too.
  expect(readdirSync(place).filter((name) => name.startsWith('cogvlm2'))).toEqual([path.basename(own.path)]);
});

it('removes nothing else: other names, a file, a link to a folder', async () => {
  const elsewhere = path.join(root, 'elsewhere');
  mkdirSync(elsewhere);
  writeFileSync(path.join(elsewhere, 'precious'), 'x');
  const name = 'cogvlm2-video-999999999-';
  mkdirSync(path.join(place, 'cogvlm2-video-holiday'));
  mkdirSync(path.join(place, `${name}abcdef.old`));
  writeFileSync(path.join(place, `${name}bcdefg`), 'x');
  symlinkSync(elsewhere, path.join(place, `${name}cdefgh`));
  const before = readdirSync(place);
  expect(await abandonedFolders()).toEqual([]);
  {
    await using _ = await temporaryFolder('video');
  }
  expect(readdirSync(place)).toEqual(before);
  expect(existsSync(path.join(elsewhere, 'precious'))).toBe(true);
});

it('the folders of many calls at the same time are all their own', async () => {
  const folders = await Promise.all(Array.from({ length: 20 }, () => temporaryFolder('video')));
  expect(readdirSync(place)).toHaveLength(20);
  for (const folder of folders) await folder[Symbol.asyncDispose]();
  expect(readdirSync(place)).toEqual([]);
});
