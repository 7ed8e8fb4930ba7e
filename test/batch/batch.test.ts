/** Whole batches with a scripted model. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { CogVLM2Error } from '../../src/errors.ts';
import { cli, memoryTerminal, until } from '../cli/memory-terminal.ts';
import { type Script, scriptedLibrary } from '../cli/scripted-model.ts';
import { pdfOf } from '../image/pdf-file.ts';

const png = readFileSync('test/fixtures/images/tiny.png');
let folder: string;
let output: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'batch-'));
  output = path.join(folder, 'out.jsonl');
  for (const name of ['a.png', 'b.png', 'c.png']) writeFileSync(path.join(folder, name), png);
});
afterEach(() => rmSync(folder, { recursive: true }));

const lines = () =>
  readFileSync(output, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const asked = () => lines().map(({ input, page, question }) => [path.basename(input), page, question]);

async function batch(words: string[], script: Script = {}) {
  const { library, calls } = scriptedLibrary(script);
  const run = await cli(['batch', folder, '-o', output, ...words], library);
  return { ...run, calls };
}

describe('batch', () => {
  it('writes a line for every question about every picture, and encodes a picture once', async () => {
    const { exitCode, out, err, calls } = await batch(['--question', 'p', '--question', 'q']);
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: '' });
    expect(err).toMatch(/out\.jsonl has 6 answers and 0 errors, 0 of them from before\.\n$/);
    expect(asked()).toEqual(
      ['a', 'b', 'c'].flatMap((n) => [
        [`${n}.png`, null, 'p'],
        [`${n}.png`, null, 'q'],
      ]),
    );
    expect(lines()[0]).toEqual({
      id: path.join(folder, 'a.png'),
      input: path.join(folder, 'a.png'),
      page: null,
      pageCount: null,
      question: 'p',
      answer: 'You asked: p',
      finishReason: 'stop',
      seed: 7,
      usage: { promptTokens: 9, imageTokens: 4, cachedTokens: 0, completionTokens: 3 },
      timings: { imageMs: 1, visionMs: 2, prefillMs: 3, firstTokenMs: 6, decodeMs: 4, totalMs: 10 },
      model: 'demo',
    });
    expect(lines()[1].timings).toMatchObject({ imageMs: 0, visionMs: 0 });
    expect(calls).toMatchObject({ disposedImages: 3, disposedModels: 1 });
    expect(calls.encoded).toHaveLength(3);
  });

  it('counts in the singular and in the plural', async () => {
    const said = async () => (await batch(['--question', 'p'])).err;
    for (const name of ['a.png', 'b.png', 'c.png']) rmSync(path.join(folder, name));
    writeFileSync(path.join(folder, 'd.txt'), '');
    expect(await said()).toContain(' (1 other file).');
    writeFileSync(path.join(folder, 'a.png'), png);
    expect(await said()).toMatch(/passed over 1 other file\.\n.* has 1 answer and 0 errors,/s);
    expect(await said()).toContain('passed over 3 other files.\n'); // The answers and their settings lie there by now.
  });

  it('asks every page of a PDF, or those that are wanted', async () => {
    writeFileSync(path.join(folder, 'd.pdf'), pdfOf([{ text: '1' }, { text: '2' }, { text: '3' }]));
    await batch(['--question', 'q', '--pages', '2-']);
    expect(asked().slice(3)).toEqual([
      ['d.pdf', 2, 'q'],
      ['d.pdf', 3, 'q'],
    ]);
    await batch(['--question', 'q']);
    expect(asked().slice(5)).toEqual([['d.pdf', 1, 'q']]);
    expect(lines()[5]).toMatchObject({ page: 1, pageCount: 3 });
  });

  it('passes over what has a line, and asks what is new', async () => {
    await batch(['--question', 'p']);
    const again = await batch(['--question', 'p', '--question', 'q']);
    expect(again.calls.asked.map(({ question }) => question)).toEqual(['q', 'q', 'q']);
    expect(again.err).toMatch(/6 answers and 0 errors, 3 of them from before/);
    writeFileSync(path.join(folder, 'new.png'), png);
    expect((await batch(['--question', 'p'])).calls.asked).toHaveLength(1);
    expect(lines()).toHaveLength(7);
  });

  it('keeps an error in the place of the answer, and goes on', async () => {
    writeFileSync(path.join(folder, 'b.png'), 'no picture');
    writeFileSync(path.join(folder, 'd.pdf'), '%PDF-1.4 broken');
    const fails = (question: string) =>
      question === 'long' ? new CogVLM2Error('context_length_exceeded', 'Too long.') : undefined;
    const { exitCode, err } = await batch(['--question', 'p', '--question', 'long'], { fails });
    expect(exitCode).toBe(8);
    expect(err).toMatch(/b\.png: ".*b\.png" is text; PNG, JPEG and WebP pictures and PDF files are read\./);
    expect(lines().map(({ question, error }) => [question, error?.code])).toEqual([
      ['p', undefined],
      ['long', 'context_length_exceeded'],
      [null, 'invalid_image'],
      ['p', undefined],
      ['long', 'context_length_exceeded'],
      [null, 'invalid_image'],
    ]);
    expect((await batch(['--question', 'p', '--question', 'long'], { fails })).calls.asked).toEqual([]);
  });

  it('asks again what had an error with --retry-errors', async () => {
    const fails = () => new CogVLM2Error('invalid_value', 'Not today.');
    await batch(['--question', 'p'], { fails });
    expect(lines().every(({ error }) => error !== undefined)).toBe(true);
    expect((await batch(['--question', 'p', '--retry-errors'])).exitCode).toBe(0);
    expect(lines().map(({ answer }) => answer)).toEqual(Array(3).fill('You asked: p'));
  });

  it('ends when the machine fails, keeping what there is', async () => {
    let asked = 0;
    const fails = () => (++asked > 2 ? new CogVLM2Error('out_of_memory', 'No memory.') : undefined);
    expect(await batch(['--question', 'p'], { fails })).toMatchObject({ exitCode: 6 });
    expect(lines()).toHaveLength(2);
    await batch(['--question', 'p']);
    expect(lines()).toHaveLength(3);
  });

  it('refuses to go on with other settings, naming both values', async () => {
    await batch(['--question', 'p', '--temperature', '0.5', '--seed', '3']);
    const { exitCode, err } = await batch(['--question', 'p', '--seed', '4']);
    expect(exitCode).toBe(2);
    expect(err).toMatch(/was made with other settings: temperature was 0\.5 and is 0; seed was 3 and is 4\./);
  });

  it('refuses a file that is something else', async () => {
    writeFileSync(output, '{"precious": true}');
    expect((await batch(['--question', 'p'])).err).toMatch(/is there already, without .*settings\.json/);
    writeFileSync(`${output}.settings.json`, '{}');
    await batch(['--question', 'p']);
    expect(readFileSync(output, 'utf8')).toBe('{"precious": true}');
  });

  it('stops at Ctrl-C with whole lines, and goes on', async () => {
    const { library } = scriptedLibrary({ pauseMs: 20 });
    const memory = memoryTerminal();
    const words = ['batch', folder, '-o', output, '--question', 'p', '--parallel', '2'];
    const done = runProgram(words, { terminal: memory.terminal, library });
    await until(() => memory.err() !== '' || (existsLines() ?? 0) > 0);
    memory.interrupt();
    expect(await done).toBe(130);
    const before = existsLines() ?? 0;
    expect(before).toBeLessThan(3);
    await batch(['--question', 'p']);
    expect(lines()).toHaveLength(3);
  });

  it.each([
    [[], /A question is needed/],
    [['--question', ' '], /A --question is empty/],
    [['--question', 'p', '--question', 'p'], /given twice/],
    [['--question', 'p', '--pages', 'x'], /--pages is "x"/],
  ])('refuses %j', async (words, sentence) => {
    const { exitCode, err } = await batch(words);
    expect(exitCode).toBe(2);
    expect(err).toMatch(sentence);
  });

  it('wants an output', async () => {
    const { err } = await cli(['batch', folder, '--question', 'p'], scriptedLibrary().library);
    expect(err).toBe('cogvlm2: --output is needed: the file that the answers go into.\n');
  });
});

function existsLines(): number | undefined {
  try {
    return readFileSync(output, 'utf8').split('\n').length - 1;
  } catch {
    return undefined;
  }
}
