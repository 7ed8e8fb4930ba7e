/** The built program with the demo model. It is killed with SIGKILL several times. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pdfOf } from '../pdf/pdf-file.ts';

const program = path.resolve('dist/cli/main.js');
const ready = existsSync(program) && existsSync('models/demo/config.json');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'batch-kill-'));
  for (const name of ['gray.jpg', 'web.webp', 'tiny.png'])
    copyFileSync(`test/fixtures/images/${name}`, path.join(folder, name));
  writeFileSync(path.join(folder, 'letter.pdf'), pdfOf([{ text: 'one', size: [100, 100] }]));
  writeFileSync(path.join(folder, 'broken.pdf'), '%PDF-1.4');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Kills the run when the output has `killAt` lines. Without `killAt`, it runs to the end. */
function run(output: string, killAt?: number): Promise<number | null> {
  const words = [
    'batch',
    folder,
    '-o',
    output,
    '--question',
    'What is this?',
    '--question',
    '这是什么?',
    '-q',
  ];
  const child = spawn(process.execPath, [program, ...words, '-n', '3', '-t', '1', '--parallel', '2']);
  const watch = setInterval(() => {
    if (killAt !== undefined && lineCount(output) >= killAt) child.kill('SIGKILL');
  }, 1);
  return new Promise((resolve) =>
    child.on('close', (code) => {
      clearInterval(watch);
      resolve(code);
    }),
  );
}

const lineCount = (file: string) =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;

/** The parts of the output that must not depend on kills. */
function answers(file: string): unknown[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ input, page, question, answer, error }) => [input, page, question, answer, error?.code])
    .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}

describe.skipIf(!ready)('a batch (skipped without dist/ or models/demo)', () => {
  it('loses no answer and repeats none when it is killed with SIGKILL', async () => {
    const [killed, whole] = [path.join(folder, 'killed.jsonl'), path.join(folder, 'whole.jsonl')];
    for (const killAt of [1, 4]) expect(await run(killed, killAt)).toBe(null);
    const before = lineCount(killed);
    expect(before).toBeGreaterThanOrEqual(4);
    writeFileSync(killed, `${readFileSync(killed, 'utf8')}{"id":"half of a li`);
    expect(await run(killed)).toBe(8);
    expect(await run(whole)).toBe(8);
    expect(answers(whole)).toHaveLength(4 * 2 + 1);
    expect(answers(killed)).toEqual(answers(whole));
  }, 300_000);
});
