import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { busErrorLibraries } from '../../src/kernels/variants.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-bus-error-'));
afterAll(() => rmSync(folder, { recursive: true }));

const isSupported = `${process.platform}-${process.arch}` in busErrorLibraries;

/** Runs a script in its own process, with MappedFile, exitOnBusError and koffi. */
function run(script: string) {
  const file = path.join(folder, 'script.ts');
  const source = (name: string) => JSON.stringify(path.resolve(import.meta.dirname, '../../src', name));
  writeFileSync(
    file,
    `import { truncateSync } from 'node:fs';
     import koffi from ${JSON.stringify(path.resolve(import.meta.dirname, '../../node_modules/koffi/index.js'))};
     import { MappedFile } from ${source('ggml/mapped-file.ts')};
     import { exitOnBusError } from ${source('kernels/bus-error.ts')};
     ${script}`,
  );
  return spawnSync(process.execPath, ['--import', 'tsx', file], { encoding: 'utf8' });
}

const weights = path.join(folder, 'weights');
const readShortened = `
  const file = new MappedFile(${JSON.stringify(weights)});
  truncateSync(${JSON.stringify(weights)}, 4_096);
  koffi.decode(file.address + 65_536n, 'uint8_t');`;

it.runIf(isSupported)(
  'a mapped file that becomes shorter ends the process with the message and status',
  () => {
    writeFileSync(weights, Buffer.alloc(1 << 20));
    const { status, signal, stderr } = run(`exitOnBusError('The file is too short.\\n', 4);${readShortened}`);
    expect({ status, signal, stderr }).toEqual({
      status: 4,
      signal: null,
      stderr: 'The file is too short.\n',
    });
  },
);

it.runIf(isSupported)('a thread of native code that reads the file ends the process in the same way', () => {
  writeFileSync(weights, Buffer.alloc(1 << 20));
  const { status, signal, stderr } = run(`
    exitOnBusError('The file is too short.\\n', 4);
    const file = new MappedFile(${JSON.stringify(weights)});
    truncateSync(${JSON.stringify(weights)}, 4_096);
    const memcmp = koffi.load('libc.so.6').func('int memcmp(void *a, void *b, size_t bytes)');
    memcmp.async(file.address + 65_536n, file.address + 131_072n, 1_000, () => {});`);
  expect({ status, signal, stderr }).toEqual({ status: 4, signal: null, stderr: 'The file is too short.\n' });
});

it.runIf(process.platform === 'linux')('without the message the system ends the process', () => {
  writeFileSync(weights, Buffer.alloc(1 << 20));
  expect(run(readShortened)).toMatchObject({ status: null, signal: 'SIGBUS' });
});

it.runIf(isSupported)('a signal from another process keeps its meaning', () => {
  const { status, signal, stderr } = run(`
    exitOnBusError('The file is too short.\\n', 4);
    process.kill(process.pid, 'SIGBUS');
    setTimeout(() => {}, 60_000);`);
  expect({ status, signal, stderr }).toEqual({ status: null, signal: 'SIGBUS', stderr: '' });
});
