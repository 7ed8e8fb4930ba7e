import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { cli, memoryTerminal, until } from './memory-terminal.ts';
import { scriptedLibrary } from './scripted-model.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cogvlm2-serve-'));
afterAll(() => rmSync(folder, { recursive: true }));

function keyFile(text: string): string {
  const file = path.join(folder, 'keys');
  writeFileSync(file, text);
  return file;
}

/** Runs until the line with the address, then sends Ctrl-C. */
async function served(args: string[], env: Record<string, string> = {}) {
  const { library, calls } = scriptedLibrary({ isDemo: true });
  const memory = memoryTerminal({ env });
  const run = runProgram(['serve', ...args], { terminal: memory.terminal, library });
  await until(() => memory.out() !== '');
  memory.interrupt();
  expect(await run).toBe(0);
  return { options: calls.served[0]!, out: memory.out(), err: memory.err() };
}

it('prints address and model in one line, and ends with status 0 at Ctrl-C', async () => {
  const { options, out, err } = await served([]);
  expect(out).toMatch(
    /^cogvlm2: demo \(.*\) at http:\/\/127\.0\.0\.1:8000, API at http:\/\/127\.0\.0\.1:8000\/v1\n$/,
  );
  expect(err).toMatch(/demonstration model/);
  expect(options).toMatchObject({
    host: '127.0.0.1',
    port: 8000,
    apiKeys: [],
    insecure: false,
    allowImageUrls: false,
    corsOrigins: [],
    maxBodyBytes: 33_554_432,
    maxJsonBytes: 1_048_576,
    load: { compute: 'auto', parallel: 4 },
  });
});

it('reads keys from the file and the variable', async () => {
  const file = keyFile('# mine\nfrom-the-file\n\n');
  const { options } = await served(['--api-key-file', file], {
    COGVLM2_API_KEY: 'the-first-key\nthe-second-key',
  });
  expect(options.apiKeys).toEqual(['the-first-key', 'the-second-key', 'from-the-file']);
});

it.each([
  ['no key', '# nobody\n', 2, /holds no key/],
  ['a short key', 'long-enough\nshort\n', 2, /Key 2 of .* at least 8 characters/],
])('refuses a file with %s', async (_, text, exitCode, sentence) => {
  const run = await cli(['serve', '--api-key-file', keyFile(text)], scriptedLibrary().library);
  expect(run).toMatchObject({ exitCode, out: '', err: expect.stringMatching(sentence) });
});

it.each([
  [['--api-key-file', path.join(folder, 'none')], 3, /cannot be read \(ENOENT\)/],
  [
    ['--api-key', 'long-enough', '--api-key', 's3cret'],
    2,
    /^(?!.*s3cret).*Key 2 of --api-key .*at least 8 characters/,
  ],
  [['--port', '70000'], 2, /--port is 70000, but must be at most 65535/],
  [['--log-level', 'loud'], 2, /--log-level is "loud"/],
])('refuses %j', async (args, exitCode, sentence) => {
  const run = await cli(['serve', ...args], scriptedLibrary().library);
  expect(run).toMatchObject({ exitCode, out: '', err: expect.stringMatching(sentence) });
});
