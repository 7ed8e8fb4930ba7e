import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { CogVLM2Error } from '../../src/errors.ts';
import type { ImageFile } from '../../src/image/source.ts';
import { cli, memoryTerminal, until } from './memory-terminal.ts';
import { scriptedLibrary } from './scripted-model.ts';

describe('ask', () => {
  it('writes only the answer to standard output', async () => {
    const { library, calls } = scriptedLibrary();
    const { exitCode, out, err } = await cli(['ask', 'a.png', 'What is this?'], library);
    expect({ exitCode, out, err }).toEqual({ exitCode: 0, out: 'You asked: What is this?\n', err: '' });
    expect(calls.disposedModels).toBe(1);
  });

  it('writes each piece of text at once', async () => {
    const { library } = scriptedLibrary({ pieces: () => ['one ', 'two'], pauseMs: 30 });
    const memory = memoryTerminal();
    const done = runProgram(['ask', 'a.png', 'q'], { terminal: memory.terminal, library });
    await until(() => memory.out() === 'one ');
    await done;
    expect(memory.out()).toBe('one two\n');
  });

  it('refuses --evidence without an image', async () => {
    const { library } = scriptedLibrary();
    const { exitCode, err } = await cli(['ask', '--text', 'q', '--evidence', 'out.png'], library);
    expect([exitCode, err]).toEqual([2, expect.stringContaining('--evidence needs an image')]);
  });

  it('encodes the image once for several questions, and disposes it', async () => {
    const { library, calls } = scriptedLibrary({ pieces: (q) => [q.toUpperCase()] });
    const { out, err } = await cli(['ask', 'a.png', 'first', 'second'], library);
    expect(out).toBe('FIRST\nSECOND\n');
    expect(err).toBe('> first\n> second\n');
    expect(calls.encoded).toEqual(['a.png']);
    expect(calls.disposedImages).toBe(1);
  });

  it('says first that the demo model is small, unless --quiet', async () => {
    const { library } = scriptedLibrary({ isDemo: true });
    expect((await cli(['ask', 'a.png', 'q'], library)).err.split('\n')[0]).toMatch(
      /small demonstration model/,
    );
    expect((await cli(['ask', 'a.png', 'q', '--quiet'], library)).err).toBe('');
  });

  it('prints one object with --json', async () => {
    const { library } = scriptedLibrary();
    const { out } = await cli(['ask', 'a.png', 'q', '--json', '--seed', '5'], library);
    expect(JSON.parse(out)).toMatchObject({
      model: 'demo',
      image: 'a.png',
      question: 'q',
      answer: 'You asked: q',
      finishReason: 'stop',
      seed: 5,
      usage: { promptTokens: 9, imageTokens: 4, cachedTokens: 0, completionTokens: 3 },
      timings: { totalMs: 10 },
    });
  });

  it('prints one object with all answers for several questions', async () => {
    const { library } = scriptedLibrary();
    const { out } = await cli(['ask', '--json', 'a.png', 'p', 'q'], library);
    expect(JSON.parse(out)).toMatchObject({
      image: 'a.png',
      encoding: { imageMs: 1, visionMs: 2 },
      answers: [{ question: 'p' }, { question: 'q', answer: 'You asked: q' }],
    });
  });

  it('reads the image from standard input', async () => {
    const { library, calls } = scriptedLibrary();
    await cli(['ask', '-', 'q'], library, { input: 'bytes' });
    expect(new TextDecoder().decode((calls.asked[0]!.image as ImageFile).bytes)).toBe('bytes');
  });

  it('refuses to read an image from the keyboard', async () => {
    const { exitCode, err } = await cli(['ask', '-', 'q'], scriptedLibrary().library, { isTTY: true });
    expect(exitCode).toBe(2);
    expect(err).toMatch(/redirect a file/);
  });

  it('accepts a question that begins with a dash after --', async () => {
    const { library, calls } = scriptedLibrary();
    await cli(['ask', 'a.png', '--', '-5 or --help?'], library);
    expect(calls.asked[0]!.question).toBe('-5 or --help?');
  });

  it('asks about page 1 of a PDF, and reports further pages', async () => {
    const { library } = scriptedLibrary();
    const { out, err } = await cli(['ask', '--json', 'a.pdf', 'q'], library);
    expect(err).toMatch(/^cogvlm2: this is page 1 of 3; --page N selects another/);
    expect(JSON.parse(out)).toMatchObject({ image: 'a.pdf', page: 1 });
    expect((await cli(['ask', '--json', 'a.pdf', 'q', '-q'], library)).err).toBe('');
    const third = await cli(['ask', '--json', 'a.pdf', '--page', '3', 'q'], library);
    expect(JSON.parse(third.out)).toMatchObject({ page: 3 });
    expect(third.err).toBe('');
  });

  it('asks without an image with --text', async () => {
    const { library, calls } = scriptedLibrary();
    await cli(['ask', '--text', 'p'], library);
    expect(calls.asked).toMatchObject([{ question: 'p', image: null }]);
  });

  it('passes set options to the library, and leaves the defaults to it', async () => {
    const { library, calls } = scriptedLibrary();
    const flags = '--max-tokens 9 --temperature 0.5 --top-k 3 --stop x --stop y --template vqa --threads 2';
    await cli(['ask', 'a.png', 'q', ...flags.split(' '), '--model', 'demo', '--context', '99'], library);
    const { signal, ...options } = calls.asked[0]!.options;
    expect(signal).toBeInstanceOf(AbortSignal);
    expect(options).toEqual({ maxTokens: 9, temperature: 0.5, topK: 3, stop: ['x', 'y'], template: 'vqa' });
    expect(calls.loads[0]).toMatchObject({
      model: 'demo',
      threads: 2,
      contextSize: 99,
      compute: 'auto',
    });
  });

  it('reports a cut answer, and prints timings with --verbose', async () => {
    const { library } = scriptedLibrary();
    const { err } = await cli(['ask', 'a.png', 'q', '--max-tokens', '1', '--verbose'], library);
    expect(err).toMatch(/cut at 3 tokens/);
    expect(err).toMatch(/prefill +3 ms +9 tokens, 3,000 a second/);
  });

  it('stops at Ctrl-C with status 130, and keeps the text so far', async () => {
    const { library, calls } = scriptedLibrary({ pieces: () => ['one ', 'two ', 'three'], pauseMs: 20 });
    const memory = memoryTerminal();
    const done = runProgram(['ask', 'a.png', 'q'], { terminal: memory.terminal, library });
    await until(() => memory.out() === 'one ');
    memory.interrupt();
    expect(await done).toBe(130);
    expect(memory.out()).toBe('one \n');
    expect(calls.disposedModels).toBe(1);
  });

  it('ends without an error when the reader of the answer closes', async () => {
    const { library } = scriptedLibrary({ pieces: () => ['one ', 'two ', 'three'], pauseMs: 20 });
    const memory = memoryTerminal();
    const done = runProgram(['ask', 'a.png', 'q'], { terminal: memory.terminal, library });
    await until(() => memory.out() === 'one ');
    memory.closeOutput();
    expect(await done).toBe(0);
    expect(memory.err()).toBe('');
  });

  it.each([
    [['ask', 'a.png', ''], 2, /question is empty/],
    [['ask', 'a.png', ' \n '], 2, /question is empty/],
    [['ask', 'a.png'], 2, /question is needed/],
    [['ask'], 2, /image and a question are needed/],
    [['ask', 'missing.png', 'q'], 3, /There is no file "missing.png"/],
    [['ask', 'a.txt', 'q'], 3, /text, not an image/],
    [['ask', 'a.png', 'q', '--model', 'dmeo'], 4, /nearest name is demo/],
    [['ask', 'a.png', 'q', '--model', 'broken'], 4, /cut short/],
  ])('refuses %j in one sentence', async (argv, code, sentence) => {
    const { library, calls } = scriptedLibrary();
    const { exitCode, out, err } = await cli(argv, library);
    expect({ exitCode, out }).toEqual({ exitCode: code, out: '' });
    expect(err).toMatch(sentence);
    expect(err).toMatch(/^cogvlm2: [^\n]+\n$/);
    expect(calls.loads).toEqual([]);
  });

  it('reports an error during an answer, and disposes the model', async () => {
    const tooLong = new CogVLM2Error('context_length_exceeded', '600 tokens do not fit the context of 512.');
    const { library, calls } = scriptedLibrary({ fails: (q) => (q === 'long' ? tooLong : undefined) });
    const { exitCode, out, err } = await cli(['ask', 'a.png', 'short', 'long', '-q'], library);
    expect({ exitCode, out, err }).toEqual({
      exitCode: 5,
      out: 'You asked: short\n',
      err: 'cogvlm2: 600 tokens do not fit the context of 512.\n',
    });
    expect([calls.disposedImages, calls.disposedModels]).toEqual([1, 1]);
  });

  it('enforces a schema, and prints the value or a table', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'ask-schema-'));
    const schema = path.join(folder, 'schema.json');
    writeFileSync(schema, '{"type": "object"}');
    const { library, calls } = scriptedLibrary({
      pieces: () => ['{"total": ', '41.9, "to": {"name": "A"}}'],
    });
    const ask = (...words: string[]) => cli(['ask', 'a.png', 'q', '--schema', schema, ...words], library);
    expect(JSON.parse((await ask('--json')).out)).toMatchObject({ data: { total: 41.9, to: { name: 'A' } } });
    expect(calls.asked[0]?.options.format).toEqual({ type: 'json_schema', schema: { type: 'object' } });
    expect((await ask('--csv')).out).toBe('question,total,to.name\r\nq,41.9,A\r\n');
    expect((await ask('--csv', '--json')).err).toMatch(/Either --json or --csv/);
    writeFileSync(schema, '[]');
    expect(await ask()).toMatchObject({ exitCode: 2, err: expect.stringMatching(/is not a JSON Schema/) });
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['boxes.gif', 'must end with .png'],
    ['/', 'must end with .png'],
  ])('refuses to draw into %s before the model is loaded', async (file, part) => {
    const { library, calls } = scriptedLibrary();
    const { exitCode, err } = await cli(['ask', 'a.png', 'q', '--draw', file], library);
    expect([exitCode, calls.loads]).toEqual([2, []]);
    expect(err).toContain(part);
  });

  it('reports an answer without boxes, and refuses to draw without an image', async () => {
    const { library } = scriptedLibrary();
    const { exitCode, err } = await cli(['ask', 'a.png', 'q', '--draw', '/no/such/folder/b.png'], library);
    expect(exitCode).toBe(0);
    expect(err).toContain('no answer has a box');
    const textOnly = await cli(['ask', '--text', 'q', '--draw', 'b.png'], library);
    expect(textOnly.err).toContain('there is no image to draw on');
  });

  it.each(['--draw', '--evidence'])('refuses %s on a video before the model is loaded', async (option) => {
    const { library, calls } = scriptedLibrary();
    const videos = { ...library, videoKind: async () => 'video' as const };
    const { exitCode, err } = await cli(['ask', 'a.mp4', 'q', option, 'b.png'], videos);
    expect([exitCode, calls.loads]).toEqual([2, []]);
    expect(err).toContain(`${option} draws on images, not on videos`);
  });

  it('reports an empty answer', async () => {
    const { library } = scriptedLibrary({ pieces: () => [] });
    expect(await cli(['ask', 'a.png', 'q'], library)).toMatchObject({
      out: '\n',
      err: 'cogvlm2: the answer is empty.\n',
    });
  });

  it('accepts an image that is not the first argument, and refuses two images', async () => {
    const { library, calls } = scriptedLibrary();
    const receipt = 'examples/images/receipt.png';
    const { out, err } = await cli(['ask', 'What is this?', receipt], library);
    expect(out).toBe('You asked: What is this?\n');
    expect(err).toBe(`cogvlm2: ${receipt} is the image; it usually comes first.\n`);
    const two = await cli(['ask', receipt, 'examples/images/form.png', 'q'], library);
    expect(two).toMatchObject({ exitCode: 2, err: expect.stringMatching(/one image at a time/) });
    expect(calls.asked).toHaveLength(1);
  });

  it('removes control characters of an answer on a terminal only', async () => {
    const { library } = scriptedLibrary({ pieces: () => ['a\x1b]0;title\x07\n\tb'] });
    expect((await cli(['ask', 'a.png', 'q'], library, { isTTY: true })).out).toBe(
      'a\ufffd]0;title\ufffd\n\tb\n',
    );
    expect((await cli(['ask', 'a.png', 'q'], library)).out).toBe('a\x1b]0;title\x07\n\tb\n');
  });

  it('colours errors on a terminal only', async () => {
    const { err } = await cli(['ask', 'a.png', ''], scriptedLibrary().library);
    expect(err).not.toContain('\x1b');
  });
});
