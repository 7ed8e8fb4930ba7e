/** The supervisor with small programs instead of the server (skipped without dist/). */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { until } from '../cli/memory-terminal.ts';
import { isBuilt } from './served.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-supervise-'));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const supervisor = fileURLToPath(new URL('../../dist/server/supervise.js', import.meta.url));
let count = 0;

/** `server` is the body of a program. It can use `say` and `args`. */
function run(server: string, minUptimeMs = 0) {
  const program = path.join(folder, `server-${++count}.mjs`);
  writeFileSync(
    program,
    `import { endWithSupervisor, reportListening } from ${JSON.stringify(supervisor)};
     endWithSupervisor();
     const args = process.argv.slice(2).join(' ');
     const say = (text) => process.stdout.write(text + '\\n');
     ${server}`,
  );
  const main = path.join(folder, `main-${count}.mjs`);
  writeFileSync(
    main,
    `import { supervise } from ${JSON.stringify(supervisor)};
     process.exitCode = await supervise({ argv: [${JSON.stringify(program)}, 'serve'], minUptimeMs: ${minUptimeMs} });`,
  );
  const child = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const exited = new Promise<number | string | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  return { child, exited, out: () => out, err: () => err };
}

const serveForever = `reportListening('http://127.0.0.1:4711'); say(process.pid + ' ' + args); setInterval(() => {}, 1000);`;

it.skipIf(!isBuilt)('restarts a crashed server on the same port', async () => {
  const server = run(serveForever);
  await until(() => server.out().split('\n').length === 2);
  process.kill(Number.parseInt(server.out(), 10), 'SIGKILL');
  await until(() => server.out().split('\n').length === 3);
  expect(server.out().split('\n')[1]).toMatch(/^\d+ serve --port 4711$/);
  expect(JSON.parse(server.err())).toMatchObject({ level: 50, why: 'it got SIGKILL', pauseMs: 0 });
  server.child.kill('SIGTERM');
  expect(await server.exited).toBe('SIGTERM');
});

it.skipIf(!isBuilt)('restarts it after an uncaught error', async () => {
  const server = run(`say('up'); setTimeout(() => { throw new Error('bug'); }, 10);`);
  await until(() => server.out() === 'up\nup\n');
  expect(server.err()).toContain('it exited with 1');
});

it.skipIf(!isBuilt)('retries if a server that was running before cannot start', async () => {
  const server = run(
    `reportListening('http://127.0.0.1:4711'); say('up'); setTimeout(() => process.exit(2), 100);`,
  );
  await until(() => server.out() === 'up\nup\n');
  expect(server.err()).toContain('it exited with 2');
});

it.skipIf(!isBuilt).each([0, 4])('passes the exit status %i on', async (code) => {
  expect(await run(`process.exit(${code});`).exited).toBe(code);
});

it.skipIf(!isBuilt)('does not restart a server that crashes before its first start', async () => {
  const server = run(`say('up'); process.kill(process.pid, 'SIGABRT');`, 60_000);
  expect([await server.exited, server.out()]).toEqual(['SIGABRT', 'up\n']);
});

it.skipIf(!isBuilt)('forwards SIGTERM and waits for the end', async () => {
  const server = run(
    `process.on('SIGTERM', () => setTimeout(() => { say('done'); process.exit(0); }, 50)); ${serveForever}`,
  );
  await until(() => server.out() !== '');
  server.child.kill('SIGTERM');
  expect(await server.exited).toBe(0);
  expect(server.out()).toContain('done');
});

it.skipIf(!isBuilt)('ends the server when it is killed', async () => {
  const server = run(serveForever);
  await until(() => server.out() !== '');
  const processId = Number.parseInt(server.out(), 10);
  server.child.kill('SIGKILL');
  await until(() => {
    try {
      process.kill(processId, 0);
      return false;
    } catch {
      return true;
    }
  });
});
