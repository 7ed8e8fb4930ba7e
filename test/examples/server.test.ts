/** The examples for the server, with a running server; and the files of the container, compared with the code. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { flagsOf } from '../../src/cli/flags.ts';
import { commands } from '../../src/cli/program.ts';
import { isBuilt, serve } from '../server/served.ts';

const folder = new URL('../../examples/server/', import.meta.url);
const root = new URL('../../', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8');

it.skipIf(!isBuilt)(
  'ask.sh and openai.ts get an answer (skipped without dist/ and models/demo)',
  async () => {
    await using server = await serve(['--api-key', 'a-long-secret', '--max-answer-tokens', '200']);
    const env = { ...process.env, COGVLM2_URL: server.url, COGVLM2_API_KEY: 'a-long-secret' };
    const run = (command: string, args: string[]) => {
      const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      return stdout;
    };
    const answer = JSON.parse(run('examples/server/ask.sh', [])) as {
      choices: { message: { content: string } }[];
    };
    const streamed = run(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'examples/server/openai.ts']);
    expect(streamed).toBe(`${answer.choices[0]?.message.content}\n`);
  },
);

it('the command of the container and its variables exist', () => {
  const serveCommand = commands.find(({ name }) => name === 'serve')!;
  const flags = flagsOf(serveCommand.options);
  const [, command = '[]'] = /^CMD (\[.*\])$/m.exec(read('Dockerfile')) ?? [];
  const [name, ...args] = JSON.parse(command) as string[];
  expect(name).toBe('serve');
  expect(flags.map((flag) => flag.name)).toEqual(
    expect.arrayContaining(args.filter((arg) => arg.startsWith('--'))),
  );
  const variables = new Set(`${read('Dockerfile')}${read('compose.yaml')}`.match(/COGVLM2_\w+/g));
  expect(flags.map((flag) => flag.env)).toEqual(expect.arrayContaining([...variables]));
});

it('ask.sh reports a missing image, and sends no request', () => {
  const { status, stdout, stderr } = spawnSync('examples/server/ask.sh', ['none.png'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect([status, stdout, stderr]).toEqual([2, '', 'There is no picture to read at none.png.\n']);
});

it('the container image has no converted models from any folder', () => {
  // Unlike in .gitignore, a pattern without a slash is only for the outermost folder.
  expect(read('Dockerfile.dockerignore').split('\n')).toContain('**/*.gguf');
});
