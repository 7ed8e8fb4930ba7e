/** A real Redis and three real workers. One worker is killed with SIGKILL during a question. */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRedis, startRedis, withoutRedis } from './redis.ts';

const program = path.resolve('dist/cli/main.js');
const ready = hasRedis && existsSync(program) && existsSync('models/demo/config.json');
const images = ['gray.jpg', 'web.webp', 'tiny.png', 'wide.png', 'tall.png'];
const questions = ['What is this?', 'How many?', '这是什么?'];

let folder: string;
let redis: Awaited<ReturnType<typeof startRedis>>;
const children = new Set<ChildProcess>();
beforeAll(async () => {
  if (!ready) return;
  folder = mkdtempSync(path.join(os.tmpdir(), 'queue-'));
  for (const name of images) copyFileSync(`test/fixtures/images/${name}`, path.join(folder, name));
  redis = await startRedis();
});
afterAll(async () => {
  if (!ready) return;
  for (const child of children) child.kill('SIGKILL');
  await redis[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function cogvlm2(words: string[]) {
  const child = spawn(process.execPath, [program, ...words], { cwd: folder });
  children.add(child);
  let err = '';
  child.stderr.on('data', (text) => {
    err += text;
  });
  const done = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, done, err: () => err };
}

const batch = (output: string, ...words: string[]) =>
  cogvlm2([
    'batch',
    folder,
    '-o',
    output,
    ...questions.flatMap((q) => ['--question', q]),
    '-n',
    '4',
    ...words,
  ]);

function lines(output: string) {
  const text = existsSync(output) ? readFileSync(output, 'utf8') : '';
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

const answers = (output: string) =>
  lines(output)
    .map(({ input, question, answer, model }) => JSON.stringify([input, question, answer, model]))
    .sort();

describe.skipIf(!ready)(`three workers (${withoutRedis}; or without dist/ or models/demo)`, () => {
  it('answer every question of a batch once, like one process, although one worker is killed', async () => {
    const [queued, plain] = [path.join(folder, 'queued.jsonl'), path.join(folder, 'plain.jsonl')];
    const workers = Array.from({ length: 3 }, () =>
      cogvlm2(['worker', redis.url, '-t', '1', '--lost-seconds', '6', '--shared', folder]),
    );
    const asking = batch(queued, '--queue', redis.url);
    while (!lines(queued).length) await sleep(5);
    workers[0]!.child.kill('SIGKILL');
    expect(await asking.done, asking.err()).toBe(0);
    expect(answers(queued)).toHaveLength(images.length * questions.length);
    expect(await batch(plain, '-t', '1').done).toBe(0);
    expect(answers(queued)).toEqual(answers(plain));

    const byPath = path.join(folder, 'by-path.jsonl');
    const outside = mkdtempSync(path.join(os.tmpdir(), 'outside-'));
    copyFileSync('test/fixtures/images/tiny.png', path.join(outside, 'x.png'));
    const named = cogvlm2([
      'batch',
      path.join(folder, 'tiny.png'),
      outside,
      '--question',
      'What is this?',
      '-n',
      '4',
      '-o',
      byPath,
      '--queue',
      redis.url,
      '--by-path',
    ]);
    expect(await named.done).toBe(8);
    expect(lines(byPath)).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          error: { code: 'invalid_value', message: expect.stringMatching(/is not in/) },
        }),
        expect.objectContaining({ answer: expect.any(String) }),
      ]),
    );
    rmSync(outside, { recursive: true });

    const image = readFileSync('test/fixtures/images/tiny.png').toString('base64');
    writeFileSync(
      path.join(folder, 'data.tsv'),
      `index\timage\tquestion\tanswer\n${[1, 2, 3].map((i) => `${i}\t${image}\tWhat is ${i}?\t['x']\n`).join('')}`,
    );
    const measured = cogvlm2([
      'eval',
      'run',
      'docvqa',
      'data.tsv',
      '-n',
      '4',
      '-o',
      'asked.jsonl',
      '--queue',
      redis.url,
    ]);
    expect(await measured.done, measured.err()).toBe(0);
    expect(
      lines(path.join(folder, 'asked.jsonl'))
        .slice(1)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['1', '2', '3']);

    for (const { child } of workers.slice(1)) child.kill('SIGINT');
    for (const { done, err } of workers.slice(1)) {
      expect(await done).toBe(0);
      expect(err()).toMatch(/answered \d+ questions\.\n$/);
    }
  }, 300_000);
});
