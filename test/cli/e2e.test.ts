/** The built program with the demo model, as a user runs it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const program = join(root, 'dist/cli/main.js');
const demo = join(root, 'models/demo');

interface Run {
  exitCode: number | null;
  out: string;
  err: string;
}

interface RunOptions {
  input?: string | Buffer;
  env?: Record<string, string>;
  /** Called with each piece of standard output. It may stop reading, or send a signal. */
  onOutput?: (child: ReturnType<typeof spawn>) => void;
}

/** Short answers on one thread, which are fast also while other tests run. */
const BRIEF = { COGVLM2_MAX_TOKENS: '24', COGVLM2_THREADS: '1' };

let folder: string;
let picture: string;

function cogvlm2(args: string[], { input, env = {}, onOutput }: RunOptions = {}): Promise<Run> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...clean(process.env), ...BRIEF, XDG_STATE_HOME: folder, ...env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
    onOutput?.(child);
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, out, err }));
  });
}

/** Sends SIGINT once, because a second one would end the process at once. */
function once(act: (child: ReturnType<typeof spawn>) => void): NonNullable<RunOptions['onOutput']> {
  let done = false;
  return (child) => {
    if (!done) act(child);
    done = true;
  };
}

/** The environment of the test run must not change the program. */
function clean(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('COGVLM2_')));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cogvlm2-e2e-'));
  picture = join(folder, 'picture.png');
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200"><rect width="320" height="200" fill="white"/><text x="40" y="110" font-size="40" font-family="sans-serif">HELLO</text></svg>';
  await sharp(Buffer.from(svg)).png().toFile(picture);
});
afterAll(() => rm(folder, { recursive: true }));

describe.skipIf(!existsSync(program))('without a model (skipped without dist/)', () => {
  it('shows help and version without loading the engine', async () => {
    const env = { COGVLM2_GGML_DIR: '/nowhere' };
    expect(await cogvlm2(['ask', '--help'], { env })).toMatchObject({ exitCode: 0, err: '' });
    expect((await cogvlm2(['--version'], { env })).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('doctor says why the engine does not work', async () => {
    const { exitCode, out, err } = await cogvlm2(['doctor'], { env: { COGVLM2_GGML_DIR: '/nowhere' } });
    expect({ exitCode, err }).toEqual({ exitCode: 6, err: '' });
    expect(out).toMatch(/^libraries +not working: .+/m);
  });

  it.skipIf(!existsSync('/dev/full'))('reports a full disk', async () => {
    const shell = spawn('sh', ['-c', `"$0" "$1" --help > /dev/full`, process.execPath, program]);
    let err = '';
    shell.stderr.on('data', (chunk) => {
      err += chunk;
    });
    const exitCode = await new Promise((resolve) => shell.on('close', resolve));
    expect({ exitCode, err }).toEqual({
      exitCode: 7,
      err: 'cogvlm2: standard output cannot be written: no space is left on the disk.\n',
    });
  });
});

const ready = existsSync(program) && existsSync(join(demo, 'config.json'));
describe.skipIf(!ready)('with models/demo (skipped without it or dist/)', () => {
  it('answers, says that it is a demo, and gives the same answer again', async () => {
    const first = await cogvlm2(['ask', picture, 'What is written here?'], { env: { COGVLM2_THREADS: '' } });
    expect(first.exitCode).toBe(0);
    expect(first.out).toMatch(/^\S.*\n$/s);
    expect(first.err.split('\n')[0]).toMatch(/small demonstration model/);
    const again = await cogvlm2(['ask', '-q', '-', 'What is written here?'], {
      input: await readFile(picture),
    });
    expect(again).toEqual({ exitCode: 0, out: first.out, err: '' });
  });

  it('prints one JSON object for several questions, also of a data URL', async () => {
    const url = `data:image/png;base64,${(await readFile(picture)).toString('base64')}`;
    const { exitCode, out } = await cogvlm2([
      'ask',
      '--json',
      url,
      'What is written here?',
      'How many words?',
    ]);
    expect(exitCode).toBe(0);
    const { answers } = JSON.parse(out);
    expect(answers).toHaveLength(2);
    expect(answers[0].usage.imageTokens).toBeGreaterThan(0);
    expect(answers[0].timings.totalMs).toBeGreaterThan(0);
  });

  it('reads a conversation from a pipe', async () => {
    const saved = join(folder, 'talk.json');
    const input = `What is written here?\n/stats\n/save ${saved}\n/bye\n`;
    const { exitCode, out } = await cogvlm2(['chat', '-q', picture], { input });
    expect(exitCode).toBe(0);
    expect(out).toMatch(/context: \d+ of [\d,]+ tokens\n/);
    expect(JSON.parse(await readFile(saved, 'utf8')).turns).toHaveLength(1);
  });

  it.skipIf(!existsSync('/dev/full'))(
    'reports that a conversation cannot be saved on a full disk',
    async () => {
      expect(await cogvlm2(['chat', '-q'], { input: '/save /dev/full\n' })).toEqual({
        exitCode: 7,
        out: '',
        err: 'cogvlm2: /dev/full cannot be written: no space is left on the disk.\n',
      });
    },
  );

  it('lists the model, and doctor finds no problem', async () => {
    expect((await cogvlm2(['models'])).out).toMatch(/^demo +[\d.]+ [kM]B/m);
    expect(await cogvlm2(['doctor'])).toMatchObject({ exitCode: 0, err: '' });
  });

  it('ends with status 130 at Ctrl-C, and without an error when its reader closes', async () => {
    const long = [
      'ask',
      '-q',
      picture,
      'What is written here?',
      ...Array(40).fill('What is in the picture?'),
    ];
    const interrupted = await cogvlm2(long, { onOutput: once((child) => child.kill('SIGINT')) });
    expect(interrupted.exitCode).toBe(130);
    const left = await cogvlm2(long, { onOutput: (child) => child.stdout?.destroy() });
    expect(left).toMatchObject({ exitCode: 0, err: '' });
  });

  /** Expects one sentence and this exit status. */
  async function refused(args: string[], exitCode: number, sentence: RegExp): Promise<void> {
    const run = await cogvlm2(args);
    expect(run, args.join(' ')).toMatchObject({ exitCode, out: '' });
    const line = run.err.trimEnd().split('\n').at(-1)!;
    expect(line).toMatch(/^cogvlm2: /);
    expect(line).toMatch(sentence);
    expect(run.err).not.toMatch(/^ {4}at /m);
  }

  it('refuses bad images and questions', async () => {
    const text = join(folder, 'text.png');
    await writeFile(text, 'This is no picture.\n');
    const cut = join(folder, 'cut.png');
    await writeFile(cut, (await readFile(picture)).subarray(0, 900));
    const huge = join(folder, 'huge.png');
    const header = Buffer.from(await readFile(picture));
    header.writeUInt32BE(40_000, 16);
    header.writeUInt32BE(40_000, 20);
    await writeFile(huge, header);
    await refused(['ask', join(folder, 'none.png'), 'What?'], 3, /no file/);
    await refused(['ask', folder, 'What?'], 3, /is a folder, not a regular file/);
    await refused(['ask', text, 'What?'], 3, /text\.png" is text/);
    await refused(['ask', cut, 'What?'], 3, /./);
    await refused(['ask', huge, 'What?'], 3, /40,?000/);
    await refused(['ask', picture, ''], 2, /empty/);
    await refused(['ask', picture, 'why '.repeat(20_000)], 5, /\d/);
  });

  it('refuses bad models', async () => {
    await refused(['ask', '-m', 'dmeo', picture, 'What?'], 4, /demo/);
    const copy = async (name: string) => {
      const path = join(folder, name);
      await mkdir(path);
      for (const file of await readdir(demo)) {
        if (file.endsWith('.safetensors')) await copyFile(join(demo, file), join(path, file));
        else await symlink(join(demo, file), join(path, file));
      }
      return path;
    };
    const weights = (await readdir(demo)).find((file) => file.endsWith('.safetensors'))!;

    const short = await copy('short');
    await truncate(join(short, weights), 200_000);
    await refused(['ask', '-m', short, picture, 'What?'], 4, /./);

    const outside = await copy('outside');
    const bytes = await readFile(join(demo, weights));
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = bytes.toString('latin1', 8, 8 + headerBytes);
    const beyond = header.replace(/"data_offsets":\s*\[(\d+),\s*(\d+)\]/, (offsets) =>
      offsets.replaceAll(/\d/g, '9'),
    );
    bytes.write(beyond, 8, 'latin1');
    await writeFile(join(outside, weights), bytes);
    await refused(['ask', '-m', outside, picture, 'What?'], 4, /./);

    const untokenized = await copy('untokenized');
    await rm(join(untokenized, 'tokenizer.json'));
    await refused(['ask', '-m', untokenized, picture, 'What?'], 4, /tokenizer/);

    const wider = await copy('wider');
    const config = JSON.parse(await readFile(join(demo, 'config.json'), 'utf8'));
    await rm(join(wider, 'config.json'));
    await writeFile(join(wider, 'config.json'), JSON.stringify({ ...config, intermediate_size: 12_345 }));
    await refused(['ask', '-m', wider, picture, 'What?'], 4, /./);

    const gguf = join(folder, 'wrong.gguf');
    await writeFile(gguf, 'This is no GGUF file at all.');
    await refused(['ask', '-m', gguf, picture, 'What?'], 4, /GGUF/i);
  });

  it.runIf(process.platform === 'linux')('reads a file whose name is not UTF-8', async () => {
    const name = Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.of(0xe9), Buffer.from('.png')]);
    await copyFile(picture, name);
    const script = `exec "$0" "$1" batch "$2/$(printf 'caf\\351.png')" -q -o - --question "What is this?"`;
    const child = spawn('sh', ['-c', script, process.execPath, program, folder], {
      env: { ...clean(process.env), ...BRIEF },
    });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ input: `${folder}/caf\udce9.png`, finishReason: 'stop' });
  });

  it('writes results to standard output with --output -', async () => {
    const data = join(root, 'test/fixtures/eval/docvqa.json');
    const { exitCode, out } = await cogvlm2(['eval', 'score', 'docvqa', data, '--output', '-']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ benchmark: 'docvqa' });
  });

  it('prints at Ctrl-C how many answers of an evaluation are kept, and how to continue', async () => {
    const file = join(folder, 'demo.jsonl');
    const args = ['eval', 'run', 'demo', '--limit', '60', '--output', file];
    const child = spawn(process.execPath, [program, ...args], { env: { ...clean(process.env), ...BRIEF } });
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const kept = async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').length - 2;
    while ((await kept()) < 2 && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(err).toContain(
      `cogvlm2: stopped: ${file} has ${await kept()} of 60 answers; run the same command to continue.`,
    );
  });
});
