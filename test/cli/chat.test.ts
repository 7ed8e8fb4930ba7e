import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { interruptAction } from '../../src/cli/chat/conversation-loop.ts';
import { runProgram } from '../../src/cli/program.ts';
import { CogVLM2Error } from '../../src/errors.ts';
import { cli, memoryTerminal, until } from './memory-terminal.ts';
import { type Script, scriptedLibrary } from './scripted-model.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cogvlm2-chat-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a whole conversation from a script of lines. */
async function talk(lines: string[], { argv = ['a.png'], ...script }: Script & { argv?: string[] } = {}) {
  const { library, calls } = scriptedLibrary({ pieces: (q) => [q.toUpperCase()], ...script });
  const result = await cli(['chat', ...argv], library, { input: `${lines.join('\n')}\n` });
  return { ...result, calls };
}

describe('a conversation from a pipe', () => {
  it('answers every line, in order, about one image', async () => {
    const { exitCode, out, err, calls } = await talk(['one', '', 'two']);
    expect({ exitCode, out, err }).toEqual({ exitCode: 0, out: 'ONE\nTWO\n', err: '' });
    expect(calls.encoded).toEqual(['a.png']);
    expect([calls.disposedImages, calls.disposedModels]).toEqual([1, 1]);
  });

  it('reads the lines between triple quotes as one message', async () => {
    const { calls } = await talk(['"""first', 'second"""', '"""alone"""', '"""', '/bye', '"""', '"""open']);
    expect(calls.asked.map(({ question }) => question)).toEqual(['first\nsecond', 'alone', '/bye', 'open']);
  });

  it('continues after a failed turn, and ends with the status of the first error', async () => {
    const tooLong = new CogVLM2Error('context_length_exceeded', 'Too long.');
    const { exitCode, out, err } = await talk(['a', 'long', '/image missing.png', 'b', '/history'], {
      fails: (q) => (q === 'long' ? tooLong : undefined),
    });
    expect(exitCode).toBe(5);
    expect(err).toBe('cogvlm2: Too long.\ncogvlm2: There is no file "missing.png".\n');
    expect(out).toBe('A\nB\n>>> a\nA\n\n>>> b\nB\n');
  });

  it('ends at /bye, without the remaining lines', async () => {
    expect((await talk(['a', '/bye', 'b'])).out).toBe('A\n');
    expect((await talk(['a', '/exit', 'b'])).out).toBe('A\n');
  });

  it('a path at the beginning of a message is not a command', async () => {
    expect((await talk(['/home/me/a.png: what is it?'])).out).toBe('/HOME/ME/A.PNG: WHAT IS IT?\n');
  });

  it('refuses standard input as the image', async () => {
    expect(await talk([], { argv: ['-'] })).toMatchObject({ exitCode: 2, err: /must be a file/ });
  });

  it('ends with 130 when a script is interrupted', async () => {
    const { library } = scriptedLibrary({ pieces: () => ['one ', 'two'], pauseMs: 20 });
    const memory = memoryTerminal({ input: 'q\nr\n' });
    const done = runProgram(['chat'], { terminal: memory.terminal, library });
    await until(() => memory.out() === 'one ');
    memory.interrupt();
    expect(await done).toBe(130);
  });
});

describe('slash commands', () => {
  it('/image selects another image and starts a new conversation; after an error nothing changes', async () => {
    const lines = ['a', '/image damaged.png', 'b', "/image 'my other.png'", '/history', 'c', '/image'];
    const { out, err, calls } = await talk(lines);
    expect(err).toBe('cogvlm2: The PNG is cut short.\n');
    const shown = `${resolve('my other.png')} (8 x 6, 4 image tokens)\n`;
    expect(out).toBe(`A\nB\n${shown}There are no questions yet.\nC\n${shown}`);
    expect(calls.encoded).toEqual(['a.png', 'my other.png']);
    expect(calls.disposedImages).toBe(2);
  });

  it('/clear forgets the turns and keeps the image', async () => {
    const { out } = await talk(['a', '/clear', '/history', '/image']);
    expect(out).toMatch(/^A\nNew conversation\.\nThere are no questions yet\.\n.*a\.png \(8 x 6/);
  });

  it('/set changes the settings of the next answers', async () => {
    const lines = [
      '/set temperature 0.7',
      '/set max-tokens 9',
      'a',
      '/set max-tokens default',
      '/set stop END',
      'b',
    ];
    const { calls, err } = await talk(lines);
    expect(err).toBe('');
    expect(calls.asked[0]!.options).toMatchObject({ temperature: 0.7, maxTokens: 9 });
    expect(calls.asked[1]!.options).toMatchObject({ temperature: 0.7, stop: ['END'] });
    expect(calls.asked[1]!.options).not.toHaveProperty('maxTokens');
  });

  it('/set refuses wrong values with one sentence, and lists the settings', async () => {
    const { exitCode, out, err } = await talk(['/set temprature 1', '/set top-p 7', '/set seed', '/set']);
    expect(exitCode).toBe(2);
    expect(err.split('\n')).toEqual([
      'cogvlm2: There is no setting temprature (did you mean temperature?).',
      'cogvlm2: top-p is 7, but must be at most 1.',
      'cogvlm2: /set seed needs a value, as in `/set temperature 0.7`.',
      '',
    ]);
    expect(out).toMatch(/^temperature +0$/m);
    expect(out).toMatch(/^max-tokens +default$/m);
  });

  it('/save and /load keep the turns and the image', async () => {
    const file = join(folder, 'talk.json');
    const saved = await talk(['a', `/save ${file}`]);
    expect(saved.out).toBe(`A\nSaved to ${file}.\n`);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      model: 'demo',
      image: resolve('a.png'),
      turns: [{ question: 'a', answer: 'A' }],
    });
    const { out, calls } = await talk([`/load ${file}`, '/history', 'b'], { argv: [] });
    expect(out).toBe(`1 turn, image: ${resolve('a.png')}.\n>>> a\nA\nB\n`);
    expect(calls.chats.at(-1)!.history).toEqual([{ question: 'a', answer: 'A' }]);
  });

  it('a failed /load and a failed /save change nothing', async () => {
    const file = join(folder, 'bad.json');
    await writeFile(file, '{"turns": []}');
    const lines = [
      'a',
      `/load ${file}`,
      `/load ${folder}/none.json`,
      `/save ${folder}/no/x.json`,
      '/history',
    ];
    const { exitCode, out, err } = await talk(lines);
    expect(exitCode).toBe(2);
    expect(err).toMatch(/was not written by \/save.*\n.*no such file.*\n.*no such folder/);
    expect(out).toBe('A\n>>> a\nA\n');
  });

  it('/stats, /help and mistakes', async () => {
    const { out, err } = await talk(['/stats', 'a', '/stats', '/hlep', '/help']);
    expect(out).toMatch(/^There is no answer yet\.\nA\n/);
    expect(out).toMatch(/^context: 12 of 512 tokens$/m);
    expect(out).toMatch(/^\/save FILE +Save/m);
    expect(err).toBe('cogvlm2: There is no command /hlep (did you mean /help?).\n');
  });
});

describe('at a terminal', () => {
  const open = (script: Script = {}) => {
    const { library } = scriptedLibrary({ pieces: () => ['one ', 'two ', 'three'], pauseMs: 15, ...script });
    const memory = memoryTerminal({ isTTY: true, env: { XDG_STATE_HOME: folder, NO_COLOR: '1' } });
    const done = runProgram(['chat', 'a.png'], { terminal: memory.terminal, library });
    return { ...memory, done };
  };

  it('Ctrl-C stops the answer but not the program; Ctrl-D ends the program', async () => {
    const { stdin, out, err, done } = open();
    await until(() => out().includes('>>> '));
    expect(err()).toMatch(/a\.png, 8 x 6, 4 image tokens\. \/help lists/);
    stdin.write('q\r');
    await until(() => out().includes('one '));
    stdin.write('\x03');
    await until(() => (out().match(/>>> /g) ?? []).length >= 2);
    expect(out()).not.toContain('three');
    stdin.write('again\r');
    await until(() => out().includes('three'));
    stdin.write('\x04');
    expect(await done).toBe(0);
  });

  it('Ctrl-C deletes the draft; twice at an empty prompt, it ends the program', async () => {
    const { stdin, out, err, done } = open();
    await until(() => out().includes('>>> '));
    stdin.write('draft\x03');
    await until(() => (out().match(/>>> /g) ?? []).length >= 2);
    stdin.write('\x03');
    await until(() => err().includes('Press Ctrl-C again to leave'));
    stdin.write('\x03');
    expect(await done).toBe(0);
    expect(out()).not.toContain('one');
  });

  it('keeps typed lines in a history file that only its owner can read', async () => {
    const { stdin, out, done } = open({ pieces: () => ['fine'] });
    await until(() => out().includes('>>> '));
    stdin.write('remember me\r');
    await until(() => out().includes('fine'));
    stdin.write('/bye\r');
    await done;
    expect(await readFile(join(folder, 'cogvlm2', 'history'), 'utf8')).toMatch(/remember me\n\/bye\n$/);
    const next = open({ pieces: (q) => [`[${q}]`] });
    await until(() => next.out().includes('>>> '));
    next.stdin.write('\x1b[A\x1b[A');
    await until(() => next.out().includes('remember me'));
    next.stdin.write('\r');
    await until(() => next.out().includes('[remember me]'));
    next.stdin.write('\x04');
    await next.done;
  });

  it('a pure function decides the effect of Ctrl-C', () => {
    const quiet = { isWorking: false, hasDraft: false, wasWarned: false, isInteractive: true };
    expect(interruptAction(quiet)).toBe('warn');
    expect(interruptAction({ ...quiet, wasWarned: true })).toBe('leave');
    expect(interruptAction({ ...quiet, isWorking: true, wasWarned: true })).toBe('stop-answer');
    expect(interruptAction({ ...quiet, hasDraft: true, wasWarned: true })).toBe('discard-draft');
    expect(interruptAction({ ...quiet, isWorking: true, isInteractive: false })).toBe('leave');
  });
});
