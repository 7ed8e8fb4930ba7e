/**
 * Tests the packed package on Windows: Node for Windows under Wine. `npm run test:windows` runs it on Linux x64. It needs
 * Wine (Debian: apt-get install wine64) and ziglang (pip install ziglang==0.15.2), and takes some minutes.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Finished, WindowsInstallation } from './wine.ts';

const project = path.resolve(import.meta.dirname, '..', '..');
const kept = process.argv[2];
const folder = kept ? path.resolve(kept) : mkdtempSync(path.join(tmpdir(), 'cogvlm2-windows-'));
const windows = new WindowsInstallation(folder);
const pictures = path.join(project, 'examples', 'pictures');

let failed = 0;
async function step(name: string, body: () => Promise<void> | void): Promise<void> {
  const started = performance.now();
  try {
    await body();
    console.log(`ok      ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.message : String(error)}`);
  }
}

function succeeded({ status, stdout, stderr }: Finished): string {
  equal(status, 0, `exit status ${status}: ${stderr}`);
  return stdout;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 240; tries++) {
    if (await condition()) return;
    await sleep(250);
  }
  throw new Error(`${what} did not happen within 60 s`);
}

const answersOf = (json: string) =>
  json
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

await step('install', () => {
  windows.install(project);
  cpSync(pictures, path.join(folder, 'My Pictures', '收据'), { recursive: true });
});

await step('doctor names the libraries and the kernels', async () => {
  const report = succeeded(await windows.cogvlm2(['doctor']));
  match(report, /platform +win32 x64/);
  match(report, /libraries +ggml/);
  match(report, /kernels +\S+/);
});

await step('ask: several questions, two languages, backslashes, spaces and Chinese in the path', async () => {
  const receipt = 'My Pictures\\收据\\receipt.png';
  const out = succeeded(
    await windows.cogvlm2(['ask', '-q', receipt, 'What is the total?', 'What is the date?']),
  );
  match(out, /21\.40/);
  match(
    succeeded(await windows.cogvlm2(['ask', '-q', 'My Pictures/收据/receipt-zh.png', '总计多少钱？'])),
    /\d/,
  );
});

await step('ask: a drive letter and a UNC path', async () => {
  const file = `Z:${path.join(folder, 'My Pictures', '收据', 'receipt.png').replaceAll('/', '\\')}`;
  match(succeeded(await windows.cogvlm2(['ask', '-q', file, 'What is the total?'])), /21\.40/);
  match(succeeded(await windows.cogvlm2(['ask', '-q', `\\\\?\\${file}`, 'What is the total?'])), /21\.40/);
});

await step('convert, replace the file, and ask the GGUF', async () => {
  const model = path.join('node_modules', 'cogvlm2', 'models', 'demo');
  for (let round = 0; round < 2; round++) {
    rmSync(path.join(folder, 'demo.gguf'), { force: true });
    succeeded(await windows.cogvlm2(['convert', '-q', model, 'demo.gguf', '--type', 'int4']));
  }
  const out = await windows.cogvlm2([
    'ask',
    '-q',
    '--model',
    'demo.gguf',
    'My Pictures\\收据\\receipt.png',
    'What is the total?',
  ]);
  match(succeeded(out), /21\.40/);
});

await step('batch: CRLF rows, killed, and resumed without a lost or doubled answer', async () => {
  const many = path.join(folder, 'many');
  mkdirSync(many, { recursive: true });
  const rows = Array.from({ length: 40 }, (_, id) => {
    cpSync(path.join(pictures, 'receipt.png'), path.join(many, `${id}.png`));
    return JSON.stringify({ id, image: `many\\${id}.png`, question: 'What is the total?' });
  });
  writeFileSync(path.join(folder, 'rows.jsonl'), `\uFEFF${rows.join('\r\n')}\r\n`);
  const args = ['batch', '-q', 'rows.jsonl', '--output', 'answers.jsonl'];
  const output = path.join(folder, 'answers.jsonl');
  rmSync(output, { force: true });
  windows.start(args);
  await until(
    () => existsSync(output) && answersOf(readFileSync(output, 'utf8') || '{}').length >= 5,
    'The fifth answer',
  );
  windows.killAll();
  succeeded(await windows.cogvlm2(args));
  const ids = answersOf(readFileSync(output, 'utf8')).map(({ id }) => Number(id));
  deepEqual(
    ids.toSorted((a, b) => a - b),
    Array.from({ length: 40 }, (_, id) => id),
  );
});

await step('serve: a request of an OpenAI client', async () => {
  const server = windows.start(['serve', '--port', '18437']);
  try {
    await until(async () => {
      const response = await fetch('http://127.0.0.1:18437/health').catch(() => undefined);
      return response?.status === 200;
    }, 'The start of the server');
    const image = readFileSync(path.join(pictures, 'receipt.png')).toString('base64');
    const content = [
      { type: 'image_url', image_url: { url: `data:image/png;base64,${image}` } },
      { type: 'text', text: 'What is the total?' },
    ];
    const response = await fetch('http://127.0.0.1:18437/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content }] }),
    });
    const answer = await response.text();
    ok(response.ok, answer);
    match(answer, /21\.40/);
  } finally {
    windows.killAll();
    server.process.kill();
  }
});

await step('chat reads its lines from a file', async () => {
  const out = await windows.cogvlm2(
    ['chat', '-q', 'My Pictures\\收据\\receipt.png'],
    'What is the total?\r\nWhat is the date?\r\n/exit\r\n',
  );
  match(succeeded(out), /21\.40/);
});

await step('errors are one sentence', async () => {
  const { status, stderr } = await windows.cogvlm2(['ask', 'C:\\missing\\receipt.png', 'What is the total?']);
  ok(status !== 0);
  match(stderr, /receipt\.png/);
});

windows.killAll();
if (!kept) rmSync(folder, { recursive: true, force: true });
console.log(failed === 0 ? 'All steps passed.' : `${failed} steps failed.`);
process.exit(failed === 0 ? 0 : 1);
