/** Many processes request a lock at the same moment, and one gets it. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CogVLM2Error } from '../../src/errors.ts';
import { lockFile } from '../../src/files/lock.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));
const taken = (holder: string) => new CogVLM2Error('write_failed', holder);

it('a lock is taken only once, also within a process, and leaves no file', () => {
  const file = path.join(folder, 'a.lock');
  {
    using _ = lockFile(file, taken);
    expect(() => lockFile(file, taken)).toThrow(`Process ${process.pid}`);
  }
  expect(existsSync(file)).toBe(false);
  using _ = lockFile(file, taken);
});

it('the lock of a dead process goes to one process only', { timeout: 180_000 }, async () => {
  const module = new URL('../../src/files/lock.ts', import.meta.url).href;
  // Each process tries repeatedly until a line ends it, and counts how often it had the lock together with another process.
  const program = `import { lockFile } from ${JSON.stringify(module)};
    import { openSync, writeSync, closeSync, rmSync } from 'node:fs';
    const file = process.argv[1];
    const end = Date.now() + 1500;
    let had = 0, together = 0;
    process.stdout.write('ready\\n');
    process.stdin.once('data', () => {
      while (Date.now() < end || had === 0) {
        let lock;
        try { lock = lockFile(file, () => new Error('taken')); } catch (error) { if (error.message === 'taken') continue; throw error; }
        had++;
        try { closeSync(openSync(file + '.inside', 'wx')); } catch { together++; }
        rmSync(file + '.inside', { force: true });
        lock[Symbol.dispose]();
        if (Date.now() > end + 20000) break;
      }
      process.stdout.write(JSON.stringify({ had, together }));
      process.exit(0);
    });`;
  const file = path.join(folder, 'race.lock');
  writeFileSync(file, '999999999');
  const processes = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, file], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  const outputs = processes.map((child) => {
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    return new Promise<string>((resolve) => child.on('close', () => resolve(out)));
  });
  await Promise.all(processes.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
  for (const child of processes) child.stdin.end('go\n');
  for (const output of await Promise.all(outputs)) {
    const { had, together } = JSON.parse(output.replace('ready\n', '')) as { had: number; together: number };
    expect(had).toBeGreaterThan(0);
    expect(together).toBe(0);
  }
});
