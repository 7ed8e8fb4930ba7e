import { describe, expect, it } from 'vitest';
import { createProgress, progressLine } from '../../src/cli/progress.ts';
import { memoryTerminal } from './memory-terminal.ts';
import { screenAfter } from './screen.ts';

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

  it('redraws one line on a terminal, and removes it at the end', () => {
    const text = scene(true).run(10);
    expect(text).not.toContain('\n');
    expect(text.split('\r').length).toBeGreaterThan(10);
    expect(screenAfter(text, 100)).toEqual(['']);
  });

  it('writes a plain line every few seconds if it is not a terminal', () => {
    const text = scene(false).run(10);
    for (const unwanted of ['\r', '\x1b', '█']) expect(text).not.toContain(unwanted);
    expect(text.trimEnd().split('\n')).toEqual([
      'Encoding the image  20%  4 of 20 layers, 2.0 a second, 8.0 s left',
      'Encoding the image  50%  10 of 20 layers, 2.0 a second, 5.0 s left',
      'Encoding the image  80%  16 of 20 layers, 2.0 a second, 2.0 s left',
    ]);
  });

  it('shows slow rates per minute', () => {
    const line = progressLine({ stage: 'vision', done: 3, total: 63 }, 3, 180_000);
    expect(line).toBe('Encoding the image  4%  3 of 63 layers, 1.0 a minute, 1 h 0 min left');
  });

  it('shows sizes in bytes', () => {
    expect(progressLine({ stage: 'load', done: 5e8, total: 2e9 }, 5e8, 1000, 100)).toBe(
      'Loading the model  █████░░░░░░░░░░░░░░░  25%  500 MB of 2.0 GB, 500 MB a second, 3.0 s left',
    );
  });
});

const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;

/** A pull of two files of 1 GB. */
function files(options: { isTTY: boolean; columns?: number; rows?: number }) {
  let time = 0;
  const memory = memoryTerminal({ ...options, now: () => time });
  const progress = createProgress(memory.terminal, false);
  const done = [0, 0];
  const tell = (
    seconds: number,
    file: 0 | 1,
    fileDone: number,
    stage: 'download' | 'verify' = 'download',
  ) => {
    time = seconds * 1000;
    done[file] = fileDone;
    progress.report({
      stage,
      done: (done[0] ?? 0) + (done[1] ?? 0),
      total: 2e9,
      file: { name: SHARDS[file], done: fileDone, total: 1e9 },
    });
  };
  return { tell, progress, memory, screen: () => screenAfter(memory.err(), options.columns ?? 100) };
}

describe('progress of several files', () => {
  it('shows a line for each file in progress, above the line of all files', () => {
    const { tell, screen, progress, memory } = files({ isTTY: true });
    tell(0, 0, 0);
    tell(1, 0, 100e6);
    tell(2, 1, 100e6);
    expect(screen()).toEqual([
      'model-00001-of-00002.safetensors   10%  100 MB of 1.0 GB',
      'model-00002-of-00002.safetensors   10%  100 MB of 1.0 GB',
      'Downloading  ██░░░░░░░░░░░░░░░░░░  10%  200 MB of 2.0 GB, 100 MB a second, 18 s left',
    ]);
    tell(9, 0, 1e9); // This file is complete.
    progress.clear();
    memory.terminal.stderr.write('verified\n');
    tell(10, 1, 200e6);
    expect(screen()).toEqual([
      'verified',
      'model-00002-of-00002.safetensors   20%  200 MB of 1.0 GB',
      'Downloading  ████████████░░░░░░░░  60%  1.2 GB of 2.0 GB, 120 MB a second, 6.7 s left',
    ]);
    memory.terminal.stderr.write('^C'); // The terminal itself writes this. It must not move the drawn lines.
    progress.clear();
    expect(screen()).toEqual(['verified', '']);
  });

  it('counts existing bytes as verified, not as downloaded', () => {
    const { tell, screen } = files({ isTTY: true });
    tell(0, 0, 0, 'verify');
    tell(1, 0, 500e6, 'verify');
    expect(screen()).toEqual([
      'model-00001-of-00002.safetensors   50%  500 MB of 1.0 GB, verifying',
      'Verifying  █████░░░░░░░░░░░░░░░  25%  500 MB of 2.0 GB, 500 MB a second',
    ]);
    tell(2, 0, 500e6);
    tell(3, 0, 510e6);
    expect(screen().at(-1)).toMatch(/510 MB of 2\.0 GB, 10\.0 MB a second, 2 min 29 s left$/);
  });

  it('goes back if a file must be downloaded again', () => {
    const { tell, screen } = files({ isTTY: true });
    tell(0, 0, 0);
    tell(1, 0, 900e6);
    tell(2, 0, 100e6);
    expect(screen()[0]).toMatch(/ 10% {2}100 MB of 1\.0 GB$/);
    expect(screen()).toHaveLength(2);
  });

  it.each([
    [
      80,
      [
        'model-00001-of-00002.safetensors    0%  0 B of 1.0 GB',
        'model-00002-of-00002.safetensors   30%  300 MB of 1.0 GB',
        'Downloading  ██░░░░░░░░░░░░░  15%  300 MB of 2.0 GB, 100 MB a second, 17 s left',
      ],
    ],
    [
      40,
      [
        'model-000…etensors    0%  0 B of 1.0 GB',
        'model-0…tensors   30%  300 MB of 1.0 GB',
        'Downloading  15%  300 MB of 2.0 GB, 100',
      ],
    ],
    [20, ['m…s    0%  0 B of 1', 'm…s   30%  300 MB o', 'Downloading  15%  3']],
    [1, ['', '', '']],
  ])('fits a terminal of %i columns', (columns, expected) => {
    const { tell, screen, progress } = files({ isTTY: true, columns });
    tell(0, 0, 0);
    tell(0, 1, 0);
    for (const seconds of [1, 2, 3]) tell(seconds, 1, seconds * 100e6);
    expect(screen()).toEqual(expected);
    progress.clear();
    expect(screen()).toEqual(['']);
  });

  it('omits lines of files on a terminal with few rows, but not the line of all files', () => {
    const { tell, screen } = files({ isTTY: true, rows: 3 });
    tell(0, 0, 0);
    tell(0, 1, 0);
    tell(1, 0, 100e6);
    expect(screen()).toHaveLength(2);
    expect(screen()[1]).toMatch(/^Downloading/);
  });

  it('writes the files and their shares in one plain line if it is not a terminal', () => {
    const { tell, memory } = files({ isTTY: false });
    tell(0, 0, 0);
    tell(0, 1, 0);
    for (let second = 1; second <= 6; second++) tell(second, 0, second * 100e6);
    expect(memory.err().split('\n')).toEqual([
      'Downloading  10%  200 MB of 2.0 GB, 100 MB a second, 18 s left; model-00001-of-00002.safetensors 20%, model-00002-of-00002.safetensors 0%',
      'Downloading  25%  500 MB of 2.0 GB, 100 MB a second, 15 s left; model-00001-of-00002.safetensors 50%, model-00002-of-00002.safetensors 0%',
      '',
    ]);
  });
});
