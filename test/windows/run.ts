/**
 * Tests the packed package on Windows, with Node for Windows under Wine. `npm run test:windows` runs it on Linux x64. It needs Wine
 * (Debian: apt-get install wine64 xvfb) and ziglang (pip install ziglang==0.15.2), and takes some minutes. Arguments: a folder that
 * keeps the installation, and a word that selects steps by their names.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Finished, startDisplay, WindowsInstallation } from './wine.ts';

const project = path.resolve(import.meta.dirname, '..', '..');
const [, , kept, only = ''] = process.argv;
const folder = kept ? path.resolve(kept) : mkdtempSync(path.join(tmpdir(), 'cogvlm2-windows-'));
const windows = new WindowsInstallation(folder);
const images = path.join(project, 'examples', 'images');
const receipt = 'My Pictures\\收据\\receipt.png';

let failed = 0;
async function step(name: string, body: () => Promise<void> | void): Promise<void> {
  if (!name.includes(only)) return;
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
  for (let tries = 0; tries < 2_400; tries++) {
    if (await condition()) return;
    await sleep(250);
  }
  throw new Error(`${what} did not happen within 10 minutes`);
}

const untilServed = (port: number) =>
  until(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    return response?.status === 200;
  }, 'The start of the server');

const answersOf = (json: string) =>
  json
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

await step('install', () => {
  windows.install(project);
  cpSync(images, path.join(folder, 'My Pictures', '收据'), { recursive: true });
});

await step('doctor names the libraries and the kernels', async () => {
  const report = succeeded(await windows.cogvlm2(['doctor']));
  match(report, /platform +win32 x64/);
  match(report, /libraries +ggml/);
  match(report, /kernels +\S+/);
});

await step('ask: several questions, two languages, backslashes, spaces and Chinese in the path', async () => {
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
    cpSync(path.join(images, 'receipt.png'), path.join(many, `${id}.png`));
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
    await untilServed(18437);
    const image = readFileSync(path.join(images, 'receipt.png')).toString('base64');
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
    ['chat', '-q', receipt],
    'What is the total?\r\nWhat is the date?\r\n/exit\r\n',
  );
  match(succeeded(out), /21\.40/);
});

await step('doctor: the caches are in %LOCALAPPDATA%', async () => {
  match(succeeded(await windows.cogvlm2(['doctor'])), /image cache +.*\\AppData\\Local\\/);
});

await step('ask: a path of more than 260 characters, and a name with an emoji', async () => {
  const parts = Array.from({ length: 6 }, (_, i) => `a long folder name ${i} ${'x'.repeat(40)}`);
  const long = path.join(folder, 'long', ...parts);
  mkdirSync(long, { recursive: true });
  cpSync(path.join(images, 'receipt.png'), path.join(long, 'receipt 😀 é.png'));
  const file = ['long', ...parts, 'receipt 😀 é.png'].join('\\');
  ok(folder.length + file.length > 260);
  match(succeeded(await windows.cogvlm2(['ask', '-q', file, 'What is the total?'])), /21\.40/);
});

await step('ask: names of devices are refused, and nothing waits for them', async () => {
  for (const name of ['NUL', 'CON', 'COM1', '\\\\.\\pipe\\x']) {
    const { status, stderr } = await windows.cogvlm2(['ask', '-q', name, 'What is it?']);
    ok(status === 2 || status === 3, `${name}: exit status ${status}`);
    match(stderr, /^cogvlm2: /);
  }
});

await step(
  'convert: a target that another program has open stays as it was, and the error names it',
  async () => {
    const model = path.join('node_modules', 'cogvlm2', 'models', 'demo');
    const target = path.join(folder, 'held.gguf');
    writeFileSync(target, 'before');
    // Opened without sharing: no other program may write, delete or rename it.
    const holder = windows.startScript(`
    const koffi = require('koffi');
    const createFile = koffi.load('kernel32.dll').func('void *__stdcall CreateFileW(str16 name, uint32_t access, uint32_t share, void *security, uint32_t creation, uint32_t flags, void *template)');
    createFile('held.gguf', 0x80000000, 0, null, 3, 0, null);
    require('fs').writeFileSync('held.ready', '');
    setTimeout(() => {}, 600000);`);
    try {
      await until(() => existsSync(path.join(folder, 'held.ready')), 'The file being held');
      const { status, stderr } = await windows.cogvlm2([
        'convert',
        '-q',
        model,
        'held.gguf',
        '--type',
        'int4',
      ]);
      equal(status, 7, stderr);
      match(stderr, /held\.gguf/);
      equal(readFileSync(target, 'utf8'), 'before');
    } finally {
      windows.killAll();
      holder.process.kill();
      rmSync(path.join(folder, 'held.ready'), { force: true });
    }
  },
);

await step('batch: a second one with the same output is refused while the first one runs', async () => {
  // So many rows that the first one still runs when the second one has started, on a slow machine too.
  const rows = answersOf(readFileSync(path.join(folder, 'rows.jsonl'), 'utf8').replace('\uFEFF', ''));
  const many = Array.from({ length: 50 }, (_, i) =>
    rows.map((row) => JSON.stringify({ ...row, id: `${i}-${row.id}` })),
  );
  writeFileSync(path.join(folder, 'many-rows.jsonl'), many.flat().join('\n'));
  const args = ['batch', '-q', 'many-rows.jsonl', '--output', 'locked.jsonl'];
  const output = path.join(folder, 'locked.jsonl');
  rmSync(output, { force: true });
  const first = windows.start(args);
  try {
    await until(() => existsSync(output) && readFileSync(output, 'utf8') !== '', 'The first answer');
    const { status, stderr } = await windows.cogvlm2(args);
    ok(status !== 0, 'the second batch ran');
    match(stderr, /locked\.jsonl/);
  } finally {
    windows.killAll();
    first.process.kill();
  }
});

await step(
  'serve: a mapped model cannot be replaced, and the server goes on; a key file with CRLF',
  async () => {
    const model = path.join('node_modules', 'cogvlm2', 'models', 'demo');
    writeFileSync(path.join(folder, 'keys.txt'), 'a-long-secret-key-of-windows\r\n');
    const server = windows.start([
      'serve',
      '--port',
      '18438',
      '--model',
      'demo.gguf',
      '--api-key-file',
      'keys.txt',
    ]);
    const ask = async (key: string) => {
      const response = await fetch('http://127.0.0.1:18438/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify({ messages: [{ role: 'user', content: 'Why?' }], max_tokens: 4 }),
      });
      return response.status;
    };
    try {
      await untilServed(18438);
      equal(await ask('a-long-secret-key-of-windows'), 200);
      equal(await ask('another-secret-key-of-windows'), 401);
      const before = readFileSync(path.join(folder, 'demo.gguf'));
      const { status, stderr } = await windows.cogvlm2([
        'convert',
        '-q',
        model,
        'demo.gguf',
        '--type',
        'int8',
      ]);
      // Windows refuses; a system that does not must have replaced the file whole.
      ok(status === 7 || status === 0, stderr);
      if (status === 7)
        ok(readFileSync(path.join(folder, 'demo.gguf')).equals(before), 'the model has changed');
      console.log(`        replacing the mapped file: exit status ${status}`);
      equal(await ask('a-long-secret-key-of-windows'), 200);
    } finally {
      windows.killAll();
      server.process.kill();
    }
  },
);

const display = await startDisplay();
if (display) {
  await step(
    'Ctrl-C in a console ends a batch with exit status 130, and the next run resumes it',
    async () => {
      const args = ['batch', '-q', 'rows.jsonl', '--output', 'interrupted.jsonl'];
      const output = path.join(folder, 'interrupted.jsonl');
      const status = path.join(folder, 'interrupted.status');
      for (const file of [output, status]) rmSync(file, { force: true });
      const console = windows.startInConsole(
        `
      const fs = require('fs');
      const kernel = require('koffi').load('kernel32.dll');
      const send = kernel.func('int __stdcall GenerateConsoleCtrlEvent(uint32_t event, uint32_t group)');
      process.on('SIGINT', () => {}); // Ctrl-C reaches every process of the console.
      const command = ['node_modules/cogvlm2/dist/cli/main.js', ...${JSON.stringify(args)}];
      const child = require('child_process').spawn(process.execPath, command, { stdio: 'inherit' });
      child.on('exit', (code) => { fs.writeFileSync('interrupted.status', String(code)); process.exit(); });
      const timer = setInterval(() => {
        if (!fs.existsSync('interrupted.jsonl') || fs.readFileSync('interrupted.jsonl', 'utf8').split('\\n').length < 4) return;
        clearInterval(timer);
        send(0, 0);
      }, 100);`,
        display.number,
      );
      try {
        await until(() => existsSync(status), 'The end of the batch');
        equal(readFileSync(status, 'utf8'), '130');
        const before = answersOf(readFileSync(output, 'utf8')).length;
        ok(before >= 3 && before < 40, `${before} of 40 rows were answered before Ctrl-C`);
        succeeded(await windows.cogvlm2(args));
        const ids = answersOf(readFileSync(output, 'utf8')).map(({ id }) => Number(id));
        equal(new Set(ids).size, 40);
        equal(ids.length, 40);
      } finally {
        windows.killAll();
        console.process.kill();
      }
    },
  );

  await step('a console with code page 437 shows a Chinese answer', async () => {
    const args = ['ask', '-q', 'My Pictures\\收据\\receipt-zh.png', '商店叫什么？'];
    const answer = succeeded(await windows.cogvlm2(args)).trim();
    match(answer, /\p{Script=Han}/u);
    const screen = path.join(folder, 'screen.txt');
    rmSync(screen, { force: true });
    const console = windows.startInConsole(
      `
      const koffi = require('koffi');
      const kernel = koffi.load('kernel32.dll');
      kernel.func('int __stdcall SetConsoleOutputCP(uint32_t page)')(437);
      const handle = kernel.func('void *__stdcall GetStdHandle(int32_t which)')(-11);
      const read = kernel.func('int __stdcall ReadConsoleOutputCharacterW(void *handle, _Out_ uint16_t *text, uint32_t length, uint32_t from, _Out_ uint32_t *count)');
      const command = ['node_modules/cogvlm2/dist/cli/main.js', ...${JSON.stringify(args)}];
      require('child_process').spawnSync(process.execPath, command, { stdio: 'inherit' });
      const text = new Uint16Array(2000);
      read(handle, text, text.length, 0, [0]);
      require('fs').writeFileSync('screen.txt', String.fromCharCode(...text));`,
      display.number,
    );
    try {
      await until(() => existsSync(screen), 'The text of the console');
      const shown = readFileSync(screen, 'utf8').replaceAll(/\s/g, '');
      ok(shown.includes(answer.replaceAll(/\s/g, '')), `"${shown}" does not contain "${answer}"`);
    } finally {
      windows.killAll();
      console.process.kill();
    }
  });
  display.process.kill();
} else console.log('skipped the steps that need a console: Xvfb is not installed.');

await step('errors are one sentence', async () => {
  const { status, stderr } = await windows.cogvlm2(['ask', 'C:\\missing\\receipt.png', 'What is the total?']);
  ok(status !== 0);
  match(stderr, /receipt\.png/);
});

windows.killAll();
if (!kept) rmSync(folder, { recursive: true, force: true });
console.log(failed === 0 ? 'All steps passed.' : `${failed} steps failed.`);
process.exit(failed === 0 ? 0 : 1);
