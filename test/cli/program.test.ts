import { describe, expect, it } from 'vitest';
import { failureOf, failureText } from '../../src/cli/exit-codes.ts';
import { commands } from '../../src/cli/program.ts';
import { CogVLM2Error, type ErrorCode } from '../../src/errors.ts';
import { cli } from './memory-terminal.ts';
import { scriptedLibrary } from './scripted-model.ts';

const { library } = scriptedLibrary();

describe('usage', () => {
  it.each([
    [['aks', 'a.png', 'q'], "unknown command 'aks' (did you mean ask?)"],
    [['ask', 'a.png', 'q', '--modle', 'x'], "unknown option '--modle' (did you mean --model?)"],
    [['ask', 'a.png', 'q', '--model'], "option '-m, --model <NAME>' argument missing."],
    [['trace', 'a', 'b'], "missing required argument 'output'."],
    [['models', 'extra'], 'too many arguments for'],
    [['ask', 'a.png', 'q', '--top-p', '3'], '--top-p is 3, but must be at most 1.'],
    [['ask', 'a.png', 'q', '--top-p', '0'], '--top-p is 0, but must be more than 0.'],
    [['ask', 'a.png', 'q', '--min-p', '1'], '--min-p is 1, but must be less than 1.'],
    [['ask', 'a.png', 'q', '--seed', '1.5'], '--seed is 1.5, but must be a whole number.'],
    [['ask', 'a.png', 'q', '--device', ''], '--device is "", but must not be empty.'],
    [['ask', 'a.png', 'q', '--threads', 'two'], '--threads is "two", but must be a number.'],
    [
      ['ask', 'a.png', 'q', '--template', 'vqaa'],
      '--template is "vqaa", but must be chat, vqa or base (did you mean vqa?).',
    ],
  ])('refuses %j with status 2 and one sentence', async (argv, sentence) => {
    const { exitCode, out, err } = await cli(argv, library);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain(`cogvlm2: ${sentence}`);
    expect(err.trimEnd()).not.toContain('\n');
  });

  it('shows the help of the program and of every command, with examples', async () => {
    const names = commands.map(({ name }) => name);
    for (const argv of [
      ['--help'],
      ['help'],
      ...names.map((name) => [...name.split(' '), '--help']),
      ...names.map((name) => ['help', ...name.split(' ')]),
    ]) {
      const { exitCode, out } = await cli(argv, library);
      expect(exitCode).toBe(0);
      expect(out).toContain('Examples:');
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(112);
    }
  });

  it('shows the help on standard error without arguments', async () => {
    const { exitCode, out, err } = await cli([], library);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain('Usage: cogvlm2 COMMAND');
  });

  it('shows the version', async () => {
    expect((await cli(['--version'], library)).out).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe('environment', () => {
  const asked = async (argv: string[], env: Record<string, string>) => {
    const scripted = scriptedLibrary();
    const result = await cli(['ask', 'a.png', 'q', ...argv], scripted.library, { env });
    return { ...result, options: scripted.calls.asked[0]?.options };
  };

  it('is overridden by the flag, and overrides the default', async () => {
    const env = { COGVLM2_TEMPERATURE: '0.7' };
    expect((await asked(['--temperature', '0.2'], env)).options?.temperature).toBe(0.2);
    expect((await asked([], env)).options?.temperature).toBe(0.7);
    expect((await asked([], { COGVLM2_TEMPERATURE: '' })).options?.temperature).toBe(0);
  });

  it('can set switches and lists', async () => {
    expect(JSON.parse((await asked([], { COGVLM2_JSON: '1' })).out)).toMatchObject({ question: 'q' });
    expect((await asked([], { COGVLM2_STOP: 'a\nb' })).options?.stop).toEqual(['a', 'b']);
  });

  it('is named in the error if its value is wrong', async () => {
    const { exitCode, err } = await asked([], { COGVLM2_TOP_P: '2' });
    expect({ exitCode, err }).toEqual({
      exitCode: 2,
      err: 'cogvlm2: COGVLM2_TOP_P is 2, but must be at most 1.\n',
    });
    expect((await asked([], { COGVLM2_JSON: 'perhaps' })).err).toContain('must be 1 or 0');
  });
});

describe('failures', () => {
  it.each<[ErrorCode, number]>([
    ['invalid_value', 2],
    ['file_not_found', 3],
    ['invalid_image', 3],
    ['image_too_large', 3],
    ['model_not_found', 4],
    ['invalid_checkpoint', 4],
    ['context_length_exceeded', 5],
    ['engine_unavailable', 6],
    ['out_of_memory', 6],
    ['write_failed', 7],
    ['engine_bug', 1],
    ['disposed', 1],
    ['aborted', 130],
  ])('%s ends with status %i', async (code, exitCode) => {
    const scripted = scriptedLibrary({ fails: () => new CogVLM2Error(code, 'Why.') });
    expect((await cli(['ask', 'a.png', 'q'], scripted.library)).exitCode).toBe(exitCode);
  });

  it('an unexpected error ends with status 1, and --debug shows its stack', async () => {
    const scripted = scriptedLibrary({ fails: () => new TypeError('x is\nnot a function') });
    const plain = await cli(['ask', 'a.png', 'q'], scripted.library);
    expect(plain).toMatchObject({
      exitCode: 1,
      err: 'cogvlm2: unexpected error: x is not a function (--debug prints the stack trace)\n',
    });
    expect((await cli(['ask', 'a.png', 'q', '--debug'], scripted.library)).err).toContain('    at ');
  });

  it('shows the cause too with --debug', () => {
    const error = new CogVLM2Error('invalid_image', 'Bad.', { cause: new Error('libpng') });
    expect(failureText(error, true)).toMatch(/^cogvlm2: Bad\.\n[\s\S]*caused by Error: libpng/);
    expect(failureOf(new DOMException('stop', 'AbortError')).exitCode).toBe(130);
  });
});
