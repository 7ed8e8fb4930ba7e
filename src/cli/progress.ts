/**
 * Progress on standard error. On a terminal a line that redraws and vanishes, with one above it for each part of the work
 * that is under way; elsewhere a plain line every few seconds. Work that is done within `delayMs` shows nothing.
 */
import type { Progress } from '../generate/types.ts';
import { type Part, partLine, partShare, progressLine } from './progress-line.ts';
import type { Terminal } from './terminal.ts';

export interface ProgressReport {
  /** `file` is the one that has got on, where the work is about several; it is under way until it is done. */
  report(progress: Progress & { file?: Part }): void;
  /** Takes the lines away, before anything else is written. */
  clear(): void;
}

interface Stage {
  stage: Progress['stage'];
  startedAt: number;
  firstDone: number;
  shownAt: number;
}

const silent: ProgressReport = { report() {}, clear() {} };

export function createProgress(terminal: Terminal, quiet: boolean): ProgressReport {
  if (quiet) return silent;
  const { stderr, now } = terminal;
  const live = stderr.isTTY === true;
  const delayMs = live ? 300 : 2_000;
  const everyMs = live ? 80 : 3_000;
  const underway = new Map<string, { stage: Progress['stage']; part: Part }>();
  let current: Stage | undefined;
  let drawnLines = 0;

  function clear(): void {
    if (drawnLines > 0) stderr.write(`${toTop()}\x1b[J`);
    drawnLines = 0;
  }

  function toTop(): string {
    return drawnLines > 1 ? `\r\x1b[${drawnLines - 1}A` : '\r';
  }

  /** A line that wraps, or that scrolls, cannot be redrawn. */
  function columns(): number {
    return (stderr.columns || 80) - 1;
  }

  /** The cursor waits at the last line's beginning, so that the terminal's "^C" wraps nothing. */
  function draw(line: string): void {
    const room = Math.max((stderr.rows || 24) - 1, 1);
    const parts = [...underway.values()].map(({ stage, part }) => partLine(stage, part, columns()));
    const lines = [...parts.slice(0, room - 1), line].map((text) => `${text.slice(0, columns())}\x1b[K`);
    stderr.write(`${toTop()}${lines.join('\n')}\x1b[J\r`);
    drawnLines = lines.length;
  }

  function writePlain(line: string): void {
    const parts = [...underway.values()].map(({ part }) => partShare(part)).join(', ');
    stderr.write(parts === '' ? `${line}\n` : `${line}; ${parts}\n`);
  }

  function report(progress: Progress & { file?: Part }): void {
    const time = now();
    const { stage, done, total, file } = progress;
    if (current?.stage !== stage || done < current.firstDone)
      current = { stage, startedAt: time, firstDone: done, shownAt: time + delayMs - everyMs };
    if (file !== undefined) {
      if (file.done < file.total) underway.set(file.name, { stage, part: file });
      else underway.delete(file.name);
    }
    if (done >= total) {
      clear();
      return;
    }
    if (time - current.shownAt < everyMs) return;
    current.shownAt = time;
    const since = [done - current.firstDone, time - current.startedAt] as const;
    if (live) draw(progressLine(progress, ...since, columns()));
    else writePlain(progressLine(progress, ...since));
  }

  return { report, clear };
}
