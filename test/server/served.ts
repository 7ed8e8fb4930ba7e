/** Starts the built server on a free port, like a user. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
export const program = `${root}/dist/cli/main.js`;

export const demo = `${root}/models/demo`;
export const pictures = `${root}/examples/images`;
/** True if dist/ and models/demo exist. Tests are skipped without them. */
export const hasDemo = existsSync(`${demo}/config.json`);
export const isBuilt = hasDemo && existsSync(program);

export interface Served extends AsyncDisposable {
  url: string;
  child: ChildProcess;
  /** The text on standard error so far. */
  log(): string;
  /** Resolves with the exit status or the signal. */
  exited: Promise<number | string | null>;
}

export async function serve(args: string[] = [], env: Record<string, string> = {}): Promise<Served> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('COGVLM2_'));
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', '--threads', '1', ...args], {
    env: { ...Object.fromEntries(own), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Ends the server if a test ends early.
  process.once('exit', () => child.kill('SIGKILL'));
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const exited = new Promise<number | string | null>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal));
  });
  const url = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const found = /at (http:\S+?),/.exec(out)?.[1];
      if (found !== undefined) resolve(found);
    });
    exited.then((how) => reject(new Error(`serve ended (${how}): ${err}`)));
  });
  return {
    url,
    child,
    exited,
    log: () => err,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
