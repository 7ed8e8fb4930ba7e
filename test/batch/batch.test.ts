/** Whole batches with a scripted model. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { CogVLM2Error } from '../../src/errors.ts';
import { cli, memoryTerminal, until } from '../cli/memory-terminal.ts';
import { type Script, scriptedLibrary } from '../cli/scripted-model.ts';
import { pdfOf } from '../pdf/pdf-file.ts';

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
  it('writes a line for every question about every image, and encodes each image once', async () => {
    const { exitCode, out, err, calls } = await batch(['--question', 'p', '--question', 'q']);
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: '' });
    expect(err).toMatch(/out\.jsonl has 6 answers and 0 errors, 0 of them from earlier runs\.\n$/);
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
      timings: {
        queueMs: 0,
        imageMs: 1,
        visionMs: 2,
        prefillMs: 3,
        firstTokenMs: 6,
        decodeMs: 4,
        totalMs: 10,
      },
      model: 'demo',
    });
    expect(lines()[1].timings).toMatchObject({ imageMs: 0, visionMs: 0 });
    expect(calls).toMatchObject({ disposedImages: 3, disposedModels: 1 });
    expect(calls.encoded).toHaveLength(3);
  });

  it('uses singular and plural in counts', async () => {
    const said = async () => (await batch(['--question', 'p'])).err;
    for (const name of ['a.png', 'b.png', 'c.png']) rmSync(path.join(folder, name));
    writeFileSync(path.join(folder, 'd.txt'), '');
    expect(await said()).toContain(' (1 other file).');
    writeFileSync(path.join(folder, 'a.png'), png);
    expect(await said()).toMatch(
      /skipped 1 file that is neither an image nor a PDF\.\n.* has 1 answer and 0 errors,/s,
    );
    expect(await said()).toContain('skipped 3 files that are neither images nor PDFs.\n'); // Two of them are the answers and their settings.
  });

  it('asks about all pages of a PDF, or about the pages of --pages', async () => {
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

  it('skips items that have a line, and asks new ones', async () => {
    await batch(['--question', 'p']);
    const again = await batch(['--question', 'p', '--question', 'q']);
    expect(again.calls.asked.map(({ question }) => question)).toEqual(['q', 'q', 'q']);
    expect(again.err).toMatch(/6 answers and 0 errors, 3 of them from earlier runs/);
    writeFileSync(path.join(folder, 'new.png'), png);
    expect((await batch(['--question', 'p'])).calls.asked).toHaveLength(1);
    expect(lines()).toHaveLength(7);
  });

  it('writes an error instead of the answer, and continues', async () => {
    writeFileSync(path.join(folder, 'b.png'), 'no picture');
    writeFileSync(path.join(folder, 'd.pdf'), '%PDF-1.4 broken');
    const fails = (question: string) =>
      question === 'long' ? new CogVLM2Error('context_length_exceeded', 'Too long.') : undefined;
    const { exitCode, err } = await batch(['--question', 'p', '--question', 'long'], { fails });
    expect(exitCode).toBe(8);
    expect(err).toMatch(/b\.png: ".*b\.png" is text; PNG, JPEG.* images and PDF files are read\./);
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

  it('asks items with an error again with --retry-errors', async () => {
    const fails = () => new CogVLM2Error('invalid_value', 'Not today.');
    await batch(['--question', 'p'], { fails });
    expect(lines().every(({ error }) => error !== undefined)).toBe(true);
    expect((await batch(['--question', 'p', '--retry-errors'])).exitCode).toBe(0);
    expect(lines().map(({ answer }) => answer)).toEqual(Array(3).fill('You asked: p'));
  });

  it('ends when the machine fails, and keeps the answers', async () => {
    let asked = 0;
    const fails = () => (++asked > 2 ? new CogVLM2Error('out_of_memory', 'No memory.') : undefined);
    expect(await batch(['--question', 'p'], { fails })).toMatchObject({ exitCode: 6 });
    expect(lines()).toHaveLength(2);
    await batch(['--question', 'p']);
    expect(lines()).toHaveLength(3);
  });

  it('refuses to resume with other settings, and names both values', async () => {
    await batch(['--question', 'p', '--temperature', '0.5', '--seed', '3']);
    const { exitCode, err } = await batch(['--question', 'p', '--seed', '4']);
    expect(exitCode).toBe(2);
    expect(err).toMatch(/was made with other settings: temperature was 0\.5 and is 0; seed was 3 and is 4\./);
  });

  it('refuses an output file that is not from a batch', async () => {
    writeFileSync(output, '{"precious": true}');
    expect((await batch(['--question', 'p'])).err).toMatch(
      /out\.jsonl exists, but .*settings\.json does not/,
    );
    writeFileSync(`${output}.settings.json`, '{}');
    await batch(['--question', 'p']);
    expect(readFileSync(output, 'utf8')).toBe('{"precious": true}');
  });

  it('stops at Ctrl-C with whole lines, and resumes', async () => {
    const { library } = scriptedLibrary({ pauseMs: 20 });
    const memory = memoryTerminal();
    const words = ['batch', folder, '-o', output, '--question', 'p', '--parallel', '2'];
    const done = runProgram(words, { terminal: memory.terminal, library });
    await until(() => memory.err() !== '' || (existsLines() ?? 0) > 0);
    memory.interrupt();
    expect(await done).toBe(130);
    const before = existsLines() ?? 0;
    expect(before).toBeLessThan(3);
    expect(memory.err()).toMatch(
      new RegExp(
        `stopped: .*out\\.jsonl has ${before} answers? and 0 errors, .*run the same command to continue`,
      ),
    );
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

  it('keeps all digits of numbers as ids, also in a resumed run', async () => {
    const ids = [
      '738529527931269425',
      '738529527931269426',
      '9007199254740993',
      '9007199254740992',
      '7',
      '"7"',
    ];
    const tasks = path.join(folder, 'tasks.jsonl');
    const rows = ids.map((id) => `{"id": ${id}, "picture": "a.png", "question": "p"}`);
    const written = () => readFileSync(output, 'utf8').match(/(?<=^\{"id":)[^,]+/gm);
    const run = () => cli(['batch', tasks, '-o', output, '--retry-errors'], scriptedLibrary().library);
    writeFileSync(
      tasks,
      `\ufeff${rows.slice(0, 3).join('\r\n')}\r\n{"id": 1, "picture": "none.png", "question": "p"}`,
    );
    expect((await run()).exitCode).toBe(8);
    expect(written()).toEqual([...ids.slice(0, 3), '1']);
    writeFileSync(tasks, rows.join('\n'));
    const { exitCode, err } = await run();
    expect(exitCode).toBe(0);
    expect(err).toContain('has 6 answers and 0 errors, 3 of them from earlier runs');
    expect(written()).toEqual(ids);
  });

  it('shows the stage of the current image and the remaining time, before the first answer', async () => {
    const { library } = scriptedLibrary();
    let time = 0;
    const now = () => {
      time += 2_000;
      return time;
    };
    const memory = memoryTerminal({ now });
    const words = ['batch', folder, '-o', output, '--question', 'p'];
    expect(await runProgram(words, { terminal: memory.terminal, library })).toBe(0);
    expect(memory.err()).toMatch(
      /Answering +\d+% +0 of 3 questions, [\d.]+ a \w+, .* left; \S+a\.png: vision \d of 4 layers\n/,
    );
    expect(memory.err()).toMatch(/c\.png: prefill \d of 9 tokens\n/);
  });

  it('applies a schema to every answer, and writes a table', async () => {
    const schema = path.join(folder, 'schema.json');
    writeFileSync(schema, '\ufeff{"type": "object"}');
    const answer = (question: string) => ({
      seller: { name: 'A, "B"' },
      items: [1, 2],
      of: question,
      n: null,
    });
    const pieces = (question: string) => [JSON.stringify(answer(question))];
    const words = ['--question', 'p', '--schema', schema, '--csv'];
    const { exitCode, calls } = await batch(words, { pieces });
    expect(exitCode).toBe(0);
    expect(calls.asked[0]?.options.format).toEqual({ type: 'json_schema', schema: { type: 'object' } });
    expect(lines()[0].data).toEqual(answer('p'));
    const table = readFileSync(output.replace('.jsonl', '.csv'), 'utf8');
    expect(table.split('\r\n').slice(0, 2)).toEqual([
      '\ufeffid,page,question,seller.name,items,of,n,error',
      `${path.join(folder, 'a.png')},,p,"A, ""B""","[1,2]",p,,`,
    ]);
    writeFileSync(schema, '{"type": "object", "title": "other"}');
    expect((await batch(words, { pieces })).err).toMatch(
      /format\.schema\.title was not there and is "other"/,
    );
  });

  it('writes lines to standard output with -o -, or the table with --csv', async () => {
    const { library } = scriptedLibrary();
    const toStdout = await cli(['batch', folder, '-o', '-', '--question', 'p'], library);
    expect(toStdout.exitCode).toBe(0);
    const answers = toStdout.out.trimEnd().split('\n');
    expect(answers.map((line) => JSON.parse(line).answer)).toEqual(Array(3).fill('You asked: p'));
    expect(existsSync('-')).toBe(false);
    const image = path.join(folder, 'a.png');
    const table = await cli(['batch', image, '-o', '-', '--csv', '--question', 'p, q'], library);
    expect(table.out).toBe(`id,page,question,answer,error\r\n${image},,"p, q","You asked: p, q",\r\n`);
  });

  it('writes captions beside the images, and never replaces an existing caption', async () => {
    writeFileSync(path.join(folder, 'b.txt'), 'mine');
    const pieces = () => ['A dog\n', ' on grass. '];
    const { library, calls } = scriptedLibrary({ pieces });
    const around = ['--caption-prefix', 'photo, ', '--caption-suffix', ', 4k'];
    const words = ['batch', folder, '--question', 'p', '--captions', ...around];
    const { exitCode, err } = await cli(words, library);
    expect({ exitCode, asked: calls.asked.length }).toEqual({ exitCode: 0, asked: 2 });
    expect(err).toContain('2 answers and 0 errors; skipped 1 image with a caption.');
    const caption = (name: string) => readFileSync(path.join(folder, `${name}.txt`), 'utf8');
    const written = 'photo, A dog on grass., 4k\n';
    expect(['a', 'b', 'c'].map(caption)).toEqual([written, 'mine', written]);
    expect((await cli(words, library)).err).toContain('skipped 3 images with a caption');
  });

  it('refuses two captions with the same file, and captions for several questions', async () => {
    const { library } = scriptedLibrary();
    const captions = async (...words: string[]) =>
      (await cli(['batch', folder, '--captions', ...words], library)).err;
    expect(await captions('--question', 'p', '--question', 'q')).toMatch(
      /a\.png has 2 questions. A caption is one answer/,
    );
    writeFileSync(path.join(folder, 'a.jpg'), png);
    expect(await captions('--question', 'p')).toMatch(
      /a\.jpg and \S+a\.png would have the same caption file, \S+a\.txt/,
    );
  });

  it('reports an empty answer', async () => {
    const { err } = await batch(['--question', 'p'], { pieces: () => [] });
    expect(err).toMatch(/a\.png: the answer is empty\./);
  });

  it('requires an output', async () => {
    const { err } = await cli(['batch', folder, '--question', 'p'], scriptedLibrary().library);
    expect(err).toBe(
      'cogvlm2: --output FILE is needed for the answers (- is standard output), or --captions.\n',
    );
  });
});

function existsLines(): number | undefined {
  try {
    return readFileSync(output, 'utf8').split('\n').length - 1;
  } catch {
    return undefined;
  }
}
