/**
 * Progress on standard error. On a terminal one line that redraws and vanishes; elsewhere a plain line every few
 * seconds. Work that is done within `delayMs` shows nothing.
 */
import type { Progress } from '../generate/types.ts';
import type { Terminal } from './terminal.ts';
import { formatBytes, formatCount, formatDuration, formatRate } from './units.ts';

export interface ProgressReport {
  report(progress: Progress): void;
  /** Takes the line away, before anything else is written. */
  clear(): void;
}

interface Stage {
  stage: Progress['stage'];
  startedAt: number;
  firstDone: number;
  shownAt: number;
}

const WORDS: Record<Progress['stage'], { doing: string; unit: string }> = {
  load: { doing: 'Loading the model', unit: 'bytes' },
  vision: { doing: 'Looking at the picture', unit: 'layers' },
  prefill: { doing: 'Reading the question', unit: 'tokens' },
  convert: { doing: 'Writing the file', unit: 'bytes' },
  verify: { doing: 'Verifying', unit: 'bytes' },
  download: { doing: 'Downloading', unit: 'bytes' },
  answer: { doing: 'Answering', unit: 'questions' },
};

const silent: ProgressReport = { report() {}, clear() {} };

export function createProgress(terminal: Terminal, quiet: boolean): ProgressReport {
  if (quiet) return silent;
  const { stderr, now } = terminal;
  const live = stderr.isTTY === true;
  const delayMs = live ? 300 : 2_000;
  const everyMs = live ? 80 : 3_000;
  let current: Stage | undefined;
  let drawn = false;

  function clear(): void {
    if (drawn) stderr.write('\r\x1b[K');
    drawn = false;
  }

  function report(progress: Progress): void {
    const time = now();
    if (current?.stage !== progress.stage || progress.done < current.firstDone) {
      const { stage, done } = progress;
      current = { stage, startedAt: time, firstDone: done, shownAt: time + delayMs - everyMs };
    }
    if (progress.done >= progress.total) {
      clear();
      return;
    }
    if (time - current.shownAt < everyMs) return;
    current.shownAt = time;
    const elapsedMs = time - current.startedAt;
    const doneSince = progress.done - current.firstDone;
    if (live) {
      stderr.write(`\r${fitted(progressLine(progress, doneSince, elapsedMs, true), stderr.columns)}\x1b[K`);
      drawn = true;
    } else {
      stderr.write(`${progressLine(progress, doneSince, elapsedMs, false)}\n`);
    }
  }

  return { report, clear };
}

/**
 * "Looking at the picture  ██████░░░░  60%  12 of 20 layers, 5.2 a second, 2 s left"; the rate is that of `doneSince`,
 * what was done in `elapsedMs`.
 */
export function progressLine(
  { stage, done, total }: Progress,
  doneSince: number,
  elapsedMs: number,
  bar: boolean,
): string {
  const { doing, unit } = WORDS[stage];
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const inBytes = unit === 'bytes';
  const count = inBytes
    ? `${formatBytes(done)} of ${formatBytes(total)}`
    : `${formatCount(Math.floor(done))} of ${formatCount(total)} ${unit}`;
  const line = [doing, ...(bar ? [drawBar(share)] : []), `${Math.floor(share * 100)}%`, count].join('  ');
  if (doneSince <= 0 || elapsedMs <= 0) return line;
  const rate = inBytes ? formatBytes((doneSince * 1000) / elapsedMs) : formatRate(doneSince, elapsedMs);
  return `${line}, ${rate} a second, ${formatDuration((elapsedMs * (total - done)) / doneSince)} left`;
}

function drawBar(share: number): string {
  const width = 20;
  const full = Math.round(share * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** A line that wraps cannot be redrawn. */
function fitted(line: string, columns: number | undefined): string {
  return columns !== undefined && line.length >= columns ? line.slice(0, Math.max(0, columns - 1)) : line;
}
