import { describe, expect, it } from 'vitest';
import { createProgress, progressLine } from '../../src/cli/progress.ts';
import { memoryTerminal } from './memory-terminal.ts';

function scene(isTTY: boolean, quiet = false) {
  let time = 0;
  const memory = memoryTerminal({ isTTY, now: () => time });
  const progress = createProgress(memory.terminal, quiet);
  const run = (seconds: number) => {
    for (let done = 0; done <= 20; done++) {
      time = (done / 20) * seconds * 1000;
      progress.report({ stage: 'vision', done, total: 20 });
    }
    return memory.err();
  };
  return { run, memory };
}

describe('progress', () => {
  it('shows nothing when the work is fast, or with --quiet', () => {
    expect(scene(true).run(0.2)).toBe('');
    expect(scene(false).run(1.5)).toBe('');
    expect(scene(true, true).run(60)).toBe('');
  });

  it('redraws one line on a terminal and takes it away at the end', () => {
    const text = scene(true).run(10);
    expect(text).not.toContain('\n');
    expect(text.split('\r').length).toBeGreaterThan(10);
    expect(text.endsWith('\r\x1b[K')).toBe(true);
  });

  it('writes a plain line every few seconds elsewhere', () => {
    const text = scene(false).run(10);
    for (const unwanted of ['\r', '\x1b', '█']) expect(text).not.toContain(unwanted);
    expect(text.trimEnd().split('\n')).toEqual([
      'Looking at the picture  20%  4 of 20 layers, 2.0 a second, 8.0 s left',
      'Looking at the picture  50%  10 of 20 layers, 2.0 a second, 5.0 s left',
      'Looking at the picture  80%  16 of 20 layers, 2.0 a second, 2.0 s left',
    ]);
  });

  it('says bytes in bytes', () => {
    expect(progressLine({ stage: 'load', done: 5e8, total: 2e9 }, 5e8, 1000, true)).toBe(
      'Loading the model  █████░░░░░░░░░░░░░░░  25%  500 MB of 2.0 GB, 500 MB a second, 3.0 s left',
    );
  });
});
