/** The built program, killed at random bytes, and with full disks. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BIG, FILES, rangeOf, Source, sha256 } from './source.ts';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const MIB = 2 ** 20;
const CONTENT = randomBytes(36 * MIB);
const WHOLE = sha256(CONTENT);

let home: string;
let source: Source;
/** Called with the number of bytes of the large file that were sent to the running pull. */
let onSent: (bytes: number) => void;

beforeEach(async () => {
  source = await Source.open({ ...FILES, [BIG]: CONTENT });
  home = path.join(source.folder, 'home');
  onSent = () => {};
  source.trouble = (asked, content, response) => {
    if (asked.file === BIG) void send(rangeOf(asked, content, response), response, asked.token);
    return asked.file === BIG;
  };
});
afterEach(() => source[Symbol.asyncDispose]());

/**
 * Bytes that were sent to the running pull. Each pull has its own token, because the server may process a request of a killed pull
 * while the next one runs. These bytes do not count.
 */
let run = { token: 0, sent: 0 };
async function send(bytes: Buffer, response: ServerResponse, token: string | undefined): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += 100_000) {
    const chunk = bytes.subarray(at, at + 100_000);
    await new Promise((done) => response.write(chunk, done));
    if (token !== `Bearer ${run.token}`) continue;
    run.sent += chunk.length;
    onSent(run.sent);
  }
  response.end();
}

interface Ended {
  exitCode: number | null;
  err: string;
}

/** `limit` is an option of `ulimit`. `act` is called after `at` bytes, and may end the process. */
function pull({
  limit = '',
  at = Number.POSITIVE_INFINITY,
  act = (_kill: () => void) => {},
} = {}): Promise<Ended> {
  run = { token: run.token + 1, sent: 0 };
  const line = `${limit === '' ? '' : `ulimit ${limit} && `}exec "$0" "$@"`;
  const args = [process.execPath, program, 'pull', 'hf:THUDM/some', '--quiet'];
  const child = spawn('/bin/sh', ['-c', line, ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: source.folder,
      HF_HOME: home,
      HF_ENDPOINT: source.url,
      HF_TOKEN: `${run.token}`,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let acted = false;
  onSent = (bytes) => {
    if (acted || bytes < at) return;
    acted = true;
    act(() => child.kill('SIGKILL'));
  };
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, err }));
  });
}

const repo = () => path.join(home, 'hub', 'models--THUDM--some');
const draft = () => path.join(repo(), 'blobs', `${WHOLE}.incomplete`);

/** Expects that the partial file is the beginning of the file. @returns its size */
function draftBytes(): number {
  if (!existsSync(draft())) return 0;
  const bytes = readFileSync(draft());
  expect(CONTENT.subarray(0, bytes.length).equals(bytes)).toBe(true);
  return bytes.length;
}

/** Expects that the next pull fetches only missing bytes. */
async function expectToGoOn(): Promise<void> {
  const before = draftBytes();
  source.asked.length = 0;
  expect(await pull()).toEqual({ exitCode: 0, err: '' });
  expect(run.sent).toBe(CONTENT.length - before);
  expect(sha256(readFileSync(path.join(repo(), 'snapshots', 'abc123', BIG)))).toBe(WHOLE);
  expect(readdirSync(path.join(repo(), 'blobs')).filter((name) => name.endsWith('.incomplete'))).toEqual([]);
}

describe.skipIf(!existsSync(program))('a pull (skipped without dist/)', () => {
  it('resumes after a kill at any byte, and verifies the files', { timeout: 120_000 }, async () => {
    let before = 0;
    for (let kill = 0; kill < 4; kill++) {
      const at = randomInt(1, 12 * MIB);
      const { exitCode } = await pull({ at, act: (end) => end() });
      if (exitCode === 0) break; // It was complete before the signal.
      expect(exitCode, `killed at ${at}`).toBeNull();
      const after = draftBytes();
      expect(after, `killed at ${at}`).toBeGreaterThanOrEqual(before);
      before = after;
    }
    await expectToGoOn();
  });

  it('reports the limit of file sizes, and the next pull resumes', { timeout: 120_000 }, async () => {
    const { exitCode, err } = await pull({ limit: '-f 32768' }); // In units of 512 bytes, or 1,024 bytes in some shells.
    expect(exitCode).toBe(7);
    expect(err).toMatch(
      /^cogvlm2: \S+\.incomplete cannot be written: a file may not become so large .*kept\.\n$/,
    );
    expect(draftBytes()).toBeGreaterThanOrEqual(16 * MIB);
    await expectToGoOn();
  });

  describe.skipIf(!canMount())('on a small disk (needs root to mount it)', () => {
    beforeEach(() => {
      mkdirSync(home);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', home]);
    });
    afterEach(() => void execFileSync('umount', [home]));

    it('checks the free space before it begins, and resumes after the disk was full', {
      timeout: 120_000,
    }, async () => {
      const other = path.join(home, 'other');
      expect(fillDisk(other, 40 * MIB)).toBe('');
      const refused = await pull();
      expect(refused.exitCode).toBe(7);
      expect(refused.err).toMatch(
        /^cogvlm2: 38 MB must be downloaded, but the disk of .* has \d+ MB free\. .*\n$/,
      );
      expect(run.sent).toBe(0);
      rmSync(other);

      const fill = () => expect(fillDisk(other, 64 * MIB)).toBe('ENOSPC');
      const { exitCode, err } = await pull({ at: 5 * MIB, act: fill });
      expect(exitCode).toBe(7);
      expect(err).toMatch(
        /^cogvlm2: \S+\.incomplete cannot be written: no space is left on the disk; .*kept\.\n$/,
      );
      expect(draftBytes()).toBeGreaterThan(0);
      rmSync(other);
      await expectToGoOn();
    });
  });
});

/** @returns the system's error code if it did not fit */
function fillDisk(file: string, bytes: number): string {
  try {
    writeFileSync(file, Buffer.alloc(bytes));
    return '';
  } catch (cause) {
    return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  }
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const place = mkdtempSync(path.join(os.tmpdir(), 'may-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true });
  }
}
